import {
  AppError,
  type EntityKind,
  eraseState,
  holdsValues,
  type RecoveryRegion,
  type ReplayIntoOptions,
  type ReplayProgress,
  type Replica,
  replayInto,
  type StoredRow,
  type TableStore,
} from '@tandem/core';
import { CONFIGURATION_TABLE } from '../configuration/configuration-table.ts';
import { REPLICATION_TABLE } from '../status/status-row.ts';
import { createRowMemory } from '../tables/row-memory.ts';
import { ARCHIVE_TABLE } from '../tables/table-archive.ts';
import { CONFLICTS_TABLE } from '../tables/table-conflict-journal.ts';
import { createTableReplica } from '../tables/table-replica.ts';
import { listReplayTables, openReplayTable, writeReplayRecord } from './replay-record.ts';

export interface ReplayIntoTableOptions
  extends Pick<
    ReplayIntoOptions,
    'archive' | 'buckets' | 'span' | 'onDamaged' | 'onProgress' | 'signal'
  > {
  /** The region whose archive it is. */
  readonly source: string;
  /** Where the table is made. */
  readonly target: {
    readonly name: string;
    readonly store: TableStore;
    readonly kind: EntityKind;
    readonly bucketCount: number;
  };
  readonly table: string;
}

/** Nothing here is written from memory. */
const LITTLE = { bytesMax: 1024 * 1024 };

/**
 * Replays an archive into a table of its own, and goes on with the buckets that are left where the same
 * replay was interrupted. Throws `TABLE_FOREIGN` and `ARCHIVE_DAMAGED`.
 */
export async function replayIntoTable(options: ReplayIntoTableOptions): Promise<ReplayProgress> {
  const { source, target, table, span, buckets, ...rest } = options;
  const { name, store, kind, bucketCount } = target;
  const ownTables = [
    kind.name,
    ARCHIVE_TABLE,
    CONFLICTS_TABLE,
    CONFIGURATION_TABLE,
    REPLICATION_TABLE,
  ];
  const content = JSON.stringify({ from: source, ...span, buckets });
  const record = await openReplayTable(store, table, { content, ownTables });
  const bucketsDone = [...record.bucketsDone];
  return replayInto({
    ...rest,
    region: name,
    into: createTableReplica({ store, kind, bucketCount, table, memory: createRowMemory(LITTLE) }),
    buckets: buckets.filter((bucket) => !bucketsDone.includes(bucket)),
    span,
    async onBucketDone(bucket) {
      bucketsDone.push(bucket);
      await writeReplayRecord(store, table, { content, bucketsDone });
    },
  });
}

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

/** Counts the tables that replays made in the region and that hold values of the entity. */
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
