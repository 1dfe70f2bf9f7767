import { chunk } from '../concurrency/bounded.ts';
import { untilUncontended } from '../concurrency/contention.ts';
import { fitRow, mergeRows } from '../inbound/decide-apply.ts';
import { ROWS_PER_TRANSACTION_MAX } from '../limits/table-limits.ts';
import { areConcurrent, type Conflict, findConflicts } from '../model/conflict.ts';
import type { ConflictJournal } from '../ports/conflict-journal.ts';
import type { Replica, RowWrite } from '../ports/replica.ts';
import type { StoredState } from '../state/entity-state.ts';
import { isSameState, stateText } from './difference.ts';
import { readReadable } from './read-readable.ts';

const CONTENTION = { attemptsMax: 10, remedy: 'Repeat the command.' };
const BYTES_MAX = 1024 * 1024;

/**
 * Joins the states into the rows of a replica, under their ETags: nothing newer is overwritten.
 * What rows and states lose to each other goes to the journal, if there is one. Idempotent. Resolves with the
 * number of rows written.
 */
export async function mergeStatesInto(
  replica: Replica,
  states: ReadonlyMap<string, StoredState>,
  conflicts?: Pick<ConflictJournal, 'record'>,
): Promise<number> {
  let written = 0;
  const byBucket = Map.groupBy(states, ([entityId]) => replica.bucketOf(entityId));
  for (const [bucket, own] of byBucket) {
    const bounds = {
      countMax: ROWS_PER_TRANSACTION_MAX,
      weightMax: BYTES_MAX,
      weigh: ([, { state }]: [string, StoredState]): number => stateText(state).length,
    };
    for (const part of chunk(own, bounds)) {
      written += await mergePart({ replica, bucket, conflicts }, part);
    }
  }
  return written;
}

interface MergeInto {
  readonly replica: Replica;
  readonly bucket: string;
  readonly conflicts: Pick<ConflictJournal, 'record'> | undefined;
}

async function mergePart(
  { replica, bucket, conflicts }: MergeInto,
  part: readonly (readonly [string, StoredState])[],
): Promise<number> {
  return untilUncontended<number>(async () => {
    const ids = part.map(([entityId]) => entityId);
    const { rows, damaged } = await readReadable(replica, bucket, ids);
    const writes = part.flatMap(([entityId, found]): RowWrite[] => {
      if (damaged.has(entityId)) return [];
      const stored = rows.get(entityId);
      const row = fitRow(replica, stored === undefined ? found : mergeRows(stored, found));
      const isThere = stored !== undefined && isSameState(stored.state, row.state);
      return isThere ? [] : [{ entityId, row, stored }];
    });
    if (writes.length === 0) return 0;
    const { entityKind } = replica;
    const found = part.flatMap(([entityId, { state }]): readonly Conflict[] => {
      const stored = rows.get(entityId)?.state;
      if (stored === undefined || !areConcurrent(stored, state)) return [];
      return findConflicts(stored, { entityKind, entityId, state });
    });
    // Before the rows: once they are merged, a repetition would no longer see it.
    if (found.length > 0) await conflicts?.record(found);
    const outcome = await replica.write(bucket, writes);
    return outcome.kind === 'written'
      ? writes.length
      : { contended: `Row ${outcome.entityId} in bucket ${bucket}` };
  }, CONTENTION);
}
