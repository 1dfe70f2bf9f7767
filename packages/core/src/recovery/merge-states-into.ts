import { chunk } from '../concurrency/chunk.ts';
import { TransientError } from '../errors.ts';
import type { Replica, RowWrite } from '../ports/replica.ts';
import { mergeRows, type StoredState } from '../replication/decide-apply.ts';
import { isSameState, stateText } from './state-text.ts';

const ATTEMPTS_MAX = 10;
const ROWS_MAX = 100;
const BYTES_MAX = 1024 * 1024;

/**
 * Joins the states into the rows of a replica, under their ETags: nothing newer is overwritten.
 * Idempotent. Resolves with the number of rows written.
 */
export async function mergeStatesInto(
  replica: Replica,
  states: ReadonlyMap<string, StoredState>,
): Promise<number> {
  let written = 0;
  const byBucket = Map.groupBy(states, ([entityId]) => replica.bucketOf(entityId));
  for (const [bucket, own] of byBucket) {
    const bounds = {
      countMax: ROWS_MAX,
      weightMax: BYTES_MAX,
      weigh: ([, { state }]: [string, StoredState]): number => stateText(state).length,
    };
    for (const part of chunk(own, bounds)) written += await mergePart(replica, bucket, part);
  }
  return written;
}

async function mergePart(
  replica: Replica,
  bucket: string,
  part: readonly (readonly [string, StoredState])[],
): Promise<number> {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    const rows = await replica.read(
      bucket,
      part.map(([entityId]) => entityId),
    );
    const writes = part.flatMap(([entityId, found]): RowWrite[] => {
      const stored = rows.get(entityId);
      const row = stored === undefined ? found : mergeRows(stored, found);
      const isThere = stored !== undefined && isSameState(stored.state, row.state);
      return isThere ? [] : [{ entityId, row, stored }];
    });
    if (writes.length === 0) return 0;
    const outcome = await replica.write(bucket, writes);
    if (outcome.kind === 'written') return writes.length;
  }
  throw new TransientError(
    'WRITE_CONTENDED',
    `Rows of bucket ${bucket} changed ${ATTEMPTS_MAX} times under us. Repeat the command.`,
  );
}
