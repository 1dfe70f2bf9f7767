import { AppError, holdsValues, type Replica, type StoredRow } from '@tandem/core';
import { createTableReplica, listReplayTables } from '@tandem/storage';
import type { Session } from '../session.ts';
import type { CliRegion } from './cli-region.ts';

interface Copy {
  readonly replica: Replica;
  readonly row: StoredRow;
}

/** The tables that replays made in the region and that hold values of the entity. */
export async function countCopies(
  session: Session,
  region: CliRegion,
  id: string,
): Promise<number> {
  return (await findCopies(session, region, id)).length;
}

/** A replay made them, and the rows there take the erased state as every row does. */
export async function eraseCopies(session: Session, region: CliRegion, id: string): Promise<void> {
  const { replica: live } = region.recovery;
  const bucket = live.bucketOf(id);
  const erased = (await live.read(bucket, [id])).get(id);
  if (erased === undefined) return;
  for (const { replica, row } of await findCopies(session, region, id)) {
    await replica.write(bucket, [{ entityId: id, row: erased, stored: row }]);
  }
}

async function findCopies(
  { kind }: Session,
  { store, bucketCount }: CliRegion,
  id: string,
): Promise<readonly Copy[]> {
  const copies: Copy[] = [];
  for (const table of await listReplayTables(store)) {
    const replica = createTableReplica({ store, kind, bucketCount, table });
    const row = await readRow(replica, id);
    if (row !== undefined && holdsValues(row.state)) copies.push({ replica, row });
  }
  return copies;
}

/** Undefined, too, in a table that someone has dropped since. */
async function readRow(replica: Replica, id: string): Promise<StoredRow | undefined> {
  try {
    return (await replica.read(replica.bucketOf(id), [id])).get(id);
  } catch (error) {
    if (error instanceof AppError && error.code === 'TABLE_MISSING') return undefined;
    throw error;
  }
}
