import { AppError } from '../errors.ts';
import type { Replica, StoredRow } from '../ports/replica.ts';

export interface ReadableRows {
  readonly rows: ReadonlyMap<string, StoredRow>;
  /** Ids under whose keys lies something that nobody can read: it is left as it is. */
  readonly damaged: ReadonlySet<string>;
}

/** Reads the rows of a bucket that can be read: one that cannot keeps none of the others from being compared. */
export async function readReadable(
  replica: Pick<Replica, 'read'>,
  bucket: string,
  entityIds: readonly string[],
): Promise<ReadableRows> {
  try {
    return { rows: await replica.read(bucket, entityIds), damaged: new Set() };
  } catch (error) {
    if (!isDamage(error)) throw error;
  }
  const rows = new Map<string, StoredRow>();
  const damaged = new Set<string>();
  for (const entityId of entityIds) {
    try {
      for (const [id, row] of await replica.read(bucket, [entityId])) rows.set(id, row);
    } catch (error) {
      if (!isDamage(error)) throw error;
      damaged.add(entityId);
    }
  }
  return { rows, damaged };
}

function isDamage(error: unknown): boolean {
  return error instanceof AppError && error.code === 'ROW_MALFORMED';
}
