import {
  AppError,
  type Clock,
  type CommitOutcome,
  type OutboxEntry,
  type Randomness,
  type RetryPolicy,
  type RowOperation,
  retry,
  retryDelayMs,
  type TableStore,
  type Transaction,
} from '@tandem/core';
import {
  type CommittedContext,
  isCommitted,
  outboxRowKey,
  toOutboxProperties,
} from '../outbox/outbox-row.ts';

export interface CommitContext extends CommittedContext, Pick<TableStore, 'commit'> {
  readonly clock: Clock;
  readonly randomness: Randomness;
}

export type ChangeSetOutcome =
  /** `etags` of the data rows, as far as they are known: none after an ambiguous answer. */
  | { readonly kind: 'committed'; readonly etags: readonly (string | undefined)[] }
  /** The data row at `index` was not as expected; nothing was written. */
  | { readonly kind: 'refused'; readonly index: number };

const NOT_DONE_POLICY: RetryPolicy = { attemptsMax: 4, delayMsMin: 50, delayMsMax: 1_000 };
const COMMITTED_UNSEEN: ChangeSetOutcome = { kind: 'committed', etags: [] };
const UNKNOWN_POLICY: RetryPolicy = { attemptsMax: 8, delayMsMin: 50, delayMsMax: 2_000 };

/**
 * Writes the data rows and the outbox row that holds their change set in one transaction.
 *
 * After an ambiguous answer the data row cannot tell whether it was done (someone may have written
 * over it since), but the change set's own outbox or archive row can: one of the two is always
 * there once it is committed. While neither is, the same transaction is repeated under the same keys
 * and ETags, so that a first try that commits late makes the repetition fail, and never writes twice.
 *
 * Throws `TABLE_OUTCOME_UNKNOWN` only when the store gave no definite answer to any attempt.
 */
export async function commitChangeSet(
  entry: OutboxEntry,
  rows: readonly RowOperation[],
  context: CommitContext,
): Promise<ChangeSetOutcome> {
  const { clock, randomness } = context;
  const transaction: Transaction = {
    table: context.table,
    partitionKey: entry.set.bucket,
    operations: [
      ...rows,
      {
        kind: 'insert',
        rowKey: outboxRowKey(entry.set.stamp),
        properties: toOutboxProperties(entry),
      },
    ],
  };
  const commit = (): Promise<CommitOutcome> =>
    retry(() => context.commit(transaction), {
      policy: NOT_DONE_POLICY,
      clock,
      randomness,
      retryIf: (error) => error.code !== 'TABLE_OUTCOME_UNKNOWN',
    });

  let unknown: AppError | undefined;
  for (let attempt = 1; attempt <= UNKNOWN_POLICY.attemptsMax; attempt += 1) {
    try {
      if (unknown !== undefined && (await isCommitted(entry.set, context))) return COMMITTED_UNSEEN;
      const outcome = await commit();
      if (outcome.kind === 'committed') return outcome;
      // A refusal of a repetition may be the doing of the first try.
      const isOurs = unknown !== undefined && (await isCommitted(entry.set, context));
      return isOurs ? COMMITTED_UNSEEN : { kind: 'refused', index: outcome.index };
    } catch (error) {
      const isFirstTry = unknown === undefined;
      if (!(error instanceof AppError) || !error.retryable) throw error;
      if (isFirstTry && error.code !== 'TABLE_OUTCOME_UNKNOWN') throw error;
      unknown ??= error;
      await clock.sleep(retryDelayMs(UNKNOWN_POLICY, attempt, randomness.fraction()));
    }
  }
  throw unknown ?? new Error('unreachable: the loop ends without an error only by returning');
}
