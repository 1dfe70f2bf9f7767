import {
  AppError,
  type EntityKind,
  eraseState,
  holdsValues,
  type RecoveryRegion,
  type Replica,
  type StoredRow,
  type TableStore,
} from '@tandem/core';
import { createTableReplica } from '../replica/table-replica.ts';
import { listReplayTables } from './replay-record.ts';

interface Copy {
  readonly replica: Replica;
  readonly row: StoredRow;
}

interface CopyingRegion {
  readonly kind: EntityKind;
  readonly store: TableStore;
  readonly bucketCount: number;
  readonly recovery: Pick<RecoveryRegion, 'replica'>;
}

/** The tables that replays made in the region and that hold values of the entity. */
export async function countCopies(region: CopyingRegion, entityId: string): Promise<number> {
  return (await findCopies(region, entityId)).length;
}

/**
 * A replay made them, and the rows there take the erased state as every row does. Where the tombstone of the
 * entity is collected since, a copy keeps its own stamps, without the values.
 */
export async function eraseCopies(region: CopyingRegion, entityId: string): Promise<void> {
  const { replica: live } = region.recovery;
  const bucket = live.bucketOf(entityId);
  const erased = (await live.read(bucket, [entityId])).get(entityId);
  for (const { replica, row: stored } of await findCopies(region, entityId)) {
    const row = erased ?? { ...stored, state: eraseState(stored.state) };
    await replica.write(bucket, [{ entityId, row, stored }]);
  }
}

async function findCopies(
  { kind, store, bucketCount }: CopyingRegion,
  entityId: string,
): Promise<readonly Copy[]> {
  const copies: Copy[] = [];
  for (const table of await listReplayTables(store)) {
    const replica = createTableReplica({ store, kind, bucketCount, table });
    const row = await readRow(replica, entityId);
    if (row !== undefined && holdsValues(row.state)) copies.push({ replica, row });
  }
  return copies;
}

/** Undefined, too, in a table that someone has dropped since. */
async function readRow(replica: Replica, entityId: string): Promise<StoredRow | undefined> {
  try {
    return (await replica.read(replica.bucketOf(entityId), [entityId])).get(entityId);
  } catch (error) {
    if (error instanceof AppError && error.code === 'TABLE_MISSING') return undefined;
    throw error;
  }
}
