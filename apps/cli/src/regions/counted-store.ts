import { TerminalError, type TableStore } from '@tandem/core';

export interface CountedStore extends TableStore {
  requests(): number;
  /** Begins to count anew, for work that goes on round by round. */
  beginRound(): void;
}

/** Counts what is asked of a store, since the service bills it, and refuses more than the bound. */
export function countRequests(store: TableStore, requestsMax: number): CountedStore {
  let requests = 0;
  const count = async <T>(ask: () => Promise<T>): Promise<T> => {
    requests += 1;
    if (requests > requestsMax) {
      throw new TerminalError(
        'RECOVERY_REFUSED',
        `It would take more than ${requestsMax} requests to one region. Raise --requests-max, or do ` +
          'it bucket by bucket with --bucket.',
      );
    }
    return ask();
  };
  return {
    requests: () => requests,
    beginRound: () => void (requests = 0),
    createTable: (table) => count(() => store.createTable(table)),
    get: (table, partitionKey, rowKey) => count(() => store.get(table, partitionKey, rowKey)),
    commit: (transaction) => count(() => store.commit(transaction)),
    query: (range) => count(() => store.query(range)),
  };
}
