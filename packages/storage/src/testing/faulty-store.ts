import { assert, type TableStore, type Transaction } from '@tandem/core';

/** What becomes of one call: `after` lets the store do it and loses the answer. */
export interface StoreFault {
  readonly when: 'before' | 'after';
  readonly error: Error;
}

export interface FaultyStore extends TableStore {
  /** The next commits that `matches` fail so, one after the other. */
  failCommits(faults: readonly StoreFault[], matches?: (transaction: Transaction) => boolean): void;
  /** Called before every commit that is not made to fail. */
  beforeCommit(hook: (transaction: Transaction) => Promise<void> | void): void;
  /** Called before every read of one row. */
  beforeGet(hook: (table: string) => void): void;
  /** Every call throws this until it is undefined again. */
  setOutage(error: Error | undefined): void;
}

/** A store that fails as it is told to. */
export function createFaultyStore(inner: TableStore): FaultyStore {
  let faults: StoreFault[] = [];
  let matches: (transaction: Transaction) => boolean = () => true;
  let hook: (transaction: Transaction) => Promise<void> | void = () => undefined;
  let getHook: (table: string) => void = () => undefined;
  let outage: Error | undefined;

  const answer = async <T>(work: () => Promise<T>): Promise<T> => {
    if (outage !== undefined) throw outage;
    return work();
  };

  return {
    createTable: (table) => answer(() => inner.createTable(table)),
    get: (table, partitionKey, rowKey) =>
      answer(async () => {
        getHook(table);
        return inner.get(table, partitionKey, rowKey);
      }),
    query: (range) => answer(() => inner.query(range)),
    timeMs: () => answer(() => inner.timeMs()),
    commit: (transaction) =>
      answer(async () => {
        const fault = matches(transaction) ? faults.shift() : undefined;
        if (fault === undefined) await hook(transaction);
        if (fault?.when === 'before') throw fault.error;
        const outcome = await inner.commit(transaction);
        if (fault !== undefined) throw fault.error;
        return outcome;
      }),
    failCommits(next, which = () => true) {
      assert(faults.length === 0, 'the faults set before have not all happened');
      faults = [...next];
      matches = which;
    },
    beforeCommit(next) {
      hook = next;
    },
    beforeGet(next) {
      getHook = next;
    },
    setOutage(error) {
      outage = error;
    },
  };
}
