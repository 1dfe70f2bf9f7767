import {
  type AppError,
  type TableStore,
  TerminalError,
  type Transaction,
  TransientError,
} from '@tandem/core';
import { COMMIT_TIMEOUT_MS, READ_TIMEOUT_MS } from '@tandem/storage/testing';
import type { CallFault } from '../faults/fault-kinds.ts';
import type { Account } from '../world/account.ts';
import { describeRange, describeRow, describeTransaction } from '../world/describe-transaction.ts';
import type { Draw } from '../world/draw.ts';
import type { Incarnation } from './incarnation.ts';

export interface TablePortOptions {
  readonly incarnation: Incarnation;
  readonly account: Account;
  readonly draw: Draw;
  /** The part of the process that asks: `write`, `relay`, `apply`. */
  readonly part: string;
  /** Of an operator's command: told to those who watch the account. */
  readonly by?: string;
  /** A page has no more rows, whatever is asked for: the service may end one wherever it likes. */
  readonly pageMax?: number;
  /** What is written arrives within the time, in milliseconds, or never; at any time by default. */
  readonly within?: { readonly ms: number; readonly nowMs: () => number } | undefined;
  /** Added to each way of what is written, in milliseconds; nothing by default. */
  readonly extraMs?: (() => number) | undefined;
}

/** The store of a region, as one part of one process reaches it. */
export function createTablePort(options: TablePortOptions): TableStore {
  const {
    incarnation,
    account,
    draw,
    part,
    by,
    within,
    extraMs = () => 0,
    pageMax = Number.POSITIVE_INFINITY,
  } = options;
  const { store } = account;
  const read = <T>(
    what: string,
    perform: (fault: CallFault | undefined, key: string) => Promise<T>,
  ): Promise<T> =>
    incarnation.call({
      site: `${part}.${what}`,
      call: 'read',
      perform,
      errorOf: (fault) => tableError(fault),
      surroundings: () => (account.outages > 0 ? 'unavailable' : undefined),
      freezers: [account.freezer],
      deadlineMs: READ_TIMEOUT_MS,
    });

  return {
    createTable: (table) => read('create-table', () => store.createTable(table)),
    get: (table, partitionKey, rowKey) =>
      read(`get.${describeRow(table, rowKey)}`, () => store.get(table, partitionKey, rowKey)),
    query: (range) =>
      read(`query.${describeRange(range)}`, (fault, key) => {
        const most = Math.min(range.limit, pageMax);
        const limit =
          fault === 'short-page' ? draw.integer(`${key}.limit`, [1, Math.min(3, most)]) : most;
        return store.query({ ...range, limit });
      }),
    timeMs: () => read('time', () => store.timeMs()),
    commit(transaction) {
      const site = `${part}.commit.${describeTransaction(transaction)}`;
      const endMs = within === undefined ? undefined : within.nowMs() + within.ms;
      return incarnation.call({
        site,
        call: 'commit',
        async perform(fault) {
          if (within !== undefined && endMs !== undefined && within.nowMs() > endMs) {
            throw tableError('unknown-before');
          }
          if (isOfClients(transaction) && account.failures.isRefusing(transaction)) {
            throw new TerminalError('TABLE_REQUEST_INVALID', 'The table takes no such row.');
          }
          if (fault === 'touched') await account.touch(transaction);
          return account.commit(transaction, by === undefined ? site : `${site}@${by}`);
        },
        errorOf: tableError,
        surroundings: () =>
          account.outages > 0 || account.failures.isFailing(transaction)
            ? 'unknown-before'
            : undefined,
        freezers: [account.freezer],
        deadlineMs: COMMIT_TIMEOUT_MS,
        extraMs,
      });
    },
  };
}

function isOfClients(transaction: Transaction): boolean {
  return describeTransaction(transaction) === 'entity+outbox';
}

function tableError(fault: CallFault): AppError {
  switch (fault) {
    case 'throttled':
      return new TransientError('TABLE_THROTTLED', 'The table is throttled.', {
        retryAfterMs: 1_000,
      });
    case 'unavailable':
      return new TransientError('TABLE_UNAVAILABLE', 'The table cannot be reached.');
    default:
      return new TransientError('TABLE_OUTCOME_UNKNOWN', 'The table gave no answer.');
  }
}
