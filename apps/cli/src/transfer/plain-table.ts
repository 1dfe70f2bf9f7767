/** A plain table of an account, ours or not, as a source of rows and as a place where they go: without a column of ours. */
import {
  chunk,
  type Properties,
  pagesOf,
  ROWS_PER_TRANSACTION_MAX,
  rowBytes,
  type TableStore,
} from '@tandem/core';
import { UsageError } from '../exit-codes.ts';
import { readPasted } from '../inventory/inventory.ts';
import type { WorkIo } from '../io.ts';
import type { SourceRow, TransferRow } from './row-files.ts';

const ENV_REFERENCE = /^env:([A-Za-z_][A-Za-z0-9_]*)$/;
const ACCOUNT_URL = /^https?:\/\/[^?]+$/;

/**
 * Returns how an account is opened: `env:NAME` names the variable that has its connection string, or its address with a
 * shared access signature; an address alone is opened by the identity of the environment. Throws `UsageError` for a key on
 * the command line, where everybody on the machine reads it.
 */
export function readAccount(given: string, { environment }: Pick<WorkIo, 'environment'>): string {
  const [, variable] = ENV_REFERENCE.exec(given) ?? [];
  if (variable === undefined) {
    if (ACCOUNT_URL.test(given)) return given;
    throw new UsageError(
      'Name the account as https://<account>.table.core.windows.net, for the identity of the environment, or as ' +
        'env:<variable> with its connection string in that variable: a key does not belong on a command line.',
    );
  }
  const text = readPasted(environment[variable] ?? '', `The variable ${variable}`);
  if (text === '') throw new UsageError(`The variable ${variable} is not set.`);
  return text;
}

const PAGE_ROWS = 1_000;
/** No key begins with what is no character. */
const WHOLE = { from: '', before: '\uffff' };

/** Says whether a table of an account has a row. */
export async function isEmptyTable(
  store: Pick<TableStore, 'query'>,
  table: string,
): Promise<boolean> {
  const range = { table, partitions: WHOLE, limit: 1 };
  // A page without rows says nothing: the service may end one wherever it likes.
  for await (const { rows } of pagesOf((from) => store.query({ ...range, ...from }))) {
    if (rows.length > 0) return false;
  }
  return true;
}

export interface PlainPage {
  readonly rows: readonly SourceRow[];
  /** Where the next page begins; undefined at the end. */
  readonly next: string | undefined;
}

/** Reads one page in the order of the keys. Throws what the store throws. */
export async function readPlainPage(
  { store, table }: { readonly store: Pick<TableStore, 'query'>; readonly table: string },
  from: string | undefined,
): Promise<PlainPage> {
  const page = await store.query({
    table,
    partitions: WHOLE,
    limit: PAGE_ROWS,
    ...(from === undefined ? {} : { continuation: from }),
  });
  const rows = page.rows.map(({ partitionKey, rowKey, properties, damage }): SourceRow => {
    const key = { partitionKey, rowKey };
    const place = `row ${JSON.stringify(partitionKey)} ${JSON.stringify(rowKey)}`;
    if (damage !== undefined) return { kind: 'refused', place, key, reason: `Its ${damage}.` };
    return { kind: 'row', place, row: { ...key, values: properties } };
  });
  return { rows, next: page.continuation };
}

/** Below the 4 MiB of a transaction, whose operations have heads of their own. */
const BYTES_PER_TRANSACTION = 2 * 1_024 * 1_024;

/**
 * Writes rows that come in the order of their keys, each as it is, over whatever is there. Several of one PartitionKey are one
 * transaction. Throws what the store throws.
 */
export async function writePlainRows(
  { store, table }: { readonly store: Pick<TableStore, 'commit'>; readonly table: string },
  rows: readonly TransferRow[],
): Promise<void> {
  const bounds = {
    countMax: ROWS_PER_TRANSACTION_MAX,
    weightMax: BYTES_PER_TRANSACTION,
    weigh: ({ partitionKey, rowKey, values }: TransferRow): number =>
      rowBytes(partitionKey, rowKey, values),
  };
  for (const [partitionKey, own] of Map.groupBy(rows, (row) => row.partitionKey)) {
    for (const part of chunk(own, bounds)) {
      const operations = part.map(({ rowKey, values }: { rowKey: string; values: Properties }) => ({
        kind: 'upsert' as const,
        rowKey,
        properties: values,
      }));
      await store.commit({ table, partitionKey, operations });
    }
  }
}
