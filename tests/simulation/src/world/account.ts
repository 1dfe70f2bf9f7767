import type { CommitOutcome, TableRow, TableStore, Transaction } from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { createRowFailures, type RowFailures } from '../faults/fail-one-row.ts';
import { createSetJoiner, firstKeyOf } from '../observe/cut-sets.ts';
import { createFreezer, type Freezer } from './freezer.ts';

/** Told of every transaction at the moment at which it is durable, of each change set that is cut as of one row. */
type CommitListener = (transaction: Transaction, site: string) => void;

/**
 * The storage account of one region: what survives every crash. Whoever watches it sees what was
 * truly committed, whatever the process that asked for it was told.
 */
export interface Account {
  /** With no name for who asks. */
  readonly store: TableStore;
  /** `site` is the place in a process that asks. */
  commit(transaction: Transaction, site: string): Promise<CommitOutcome>;
  /** Faults may overlap, so each is counted. */
  outages: number;
  /** Rows of its configuration that nobody can read: no process starts then. */
  misconfigured: number;
  readonly freezer: Freezer;
  readonly failures: RowFailures;
  /** Of all transactions that were ever asked for, the most operations. */
  readonly operationsMax: number;
  onCommitted(listener: CommitListener): void;
  /** The row is gone, as if it had never been there. */
  lose(table: string, partitionKey: string, rowKey: string): Promise<void>;
  onLost(listener: (table: string, rowKey: string) => void): void;
  /** Gives the row other columns, unseen by whoever watches the account. */
  rewrite(table: string, row: TableRow, properties: TableRow['properties']): Promise<void>;
  /** Gives the rows that the transaction expects unchanged new ETags, as another writer would. */
  touch(transaction: Transaction): Promise<void>;
}

export function createAccount(
  nowMs: () => number,
  { isTagged = false }: { readonly isTagged?: boolean } = {},
): Account {
  const inner = createMemoryTableStore({ nowMs, isTagged });
  const listeners: CommitListener[] = [];
  const joinSets = createSetJoiner();
  const lossListeners: ((table: string, rowKey: string) => void)[] = [];
  let operationsMax = 0;
  const commit = async (transaction: Transaction, site: string): Promise<CommitOutcome> => {
    operationsMax = Math.max(operationsMax, transaction.operations.length);
    const outcome = await inner.commit(transaction);
    if (outcome.kind === 'committed') {
      const seen = joinSets(transaction);
      if (seen.operations.length > 0) for (const listener of listeners) listener(seen, site);
    }
    return outcome;
  };
  return {
    outages: 0,
    misconfigured: 0,
    freezer: createFreezer(),
    failures: createRowFailures(),
    get operationsMax() {
      return operationsMax;
    },
    onCommitted: (listener) => void listeners.push(listener),
    commit,
    store: { ...inner, commit: (transaction) => commit(transaction, '') },
    async lose(table, partitionKey, rowKey) {
      await inner.commit({ table, partitionKey, operations: [{ kind: 'delete', rowKey }] });
      for (const listener of lossListeners) listener(table, firstKeyOf(rowKey) ?? rowKey);
    },
    onLost: (listener) => void lossListeners.push(listener),
    async rewrite(table, { partitionKey, rowKey }, properties) {
      const upsert = { kind: 'upsert', rowKey, properties } as const;
      await inner.commit({ table, partitionKey, operations: [upsert] });
    },
    async touch({ table, partitionKey, operations }) {
      for (const operation of operations) {
        if (operation.kind !== 'replace') continue;
        const row: TableRow | undefined = await inner.get(table, partitionKey, operation.rowKey);
        if (row === undefined) continue;
        const { rowKey, properties } = row;
        const upsert = { kind: 'upsert', rowKey, properties } as const;
        await inner.commit({ table, partitionKey, operations: [upsert] });
      }
    },
  };
}
