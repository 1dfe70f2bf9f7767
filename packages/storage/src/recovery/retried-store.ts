import {
  type Clock,
  type Randomness,
  retry,
  type RetryPolicy,
  type TableStore,
} from '@tandem/core';

const RETRY: RetryPolicy = { attemptsMax: 5, delayMsMin: 100, delayMsMax: 2_000 };

/** Asks for reads again, and for a commit only when nothing was done: a command outlasts a throttled table. */
export function createRetriedStore(
  store: TableStore,
  { clock, randomness }: { readonly clock: Clock; readonly randomness: Randomness },
): TableStore {
  const again = <T>(ask: () => Promise<T>): Promise<T> =>
    retry(ask, { policy: RETRY, clock, randomness });
  return {
    createTable: (table) => again(() => store.createTable(table)),
    get: (table, partitionKey, rowKey) => again(() => store.get(table, partitionKey, rowKey)),
    query: (range) => again(() => store.query(range)),
    commit: (transaction) =>
      retry(() => store.commit(transaction), {
        policy: RETRY,
        clock,
        randomness,
        retryIf: (error) => error.code !== 'TABLE_OUTCOME_UNKNOWN',
      }),
  };
}
