import { setTimeout as delay } from 'node:timers/promises';
import type { TableClient } from '@azure/data-tables';
import type { RowSeen, TableState } from '../history/row-operation.ts';
import { list, readRow } from './table-client.ts';

const READS_AT_ONCE = 16;
const TRIES_MAX = 20;
const RETRY_MS = 500;

/** The table must be served by every region before a writer comes; all regions create it at once. */
export async function createTables(tables: readonly TableClient[]): Promise<void> {
  await Promise.all(tables.map(createTable));
}

/** A region that has only just become ready may be busy on a machine that is. */
async function createTable(table: TableClient): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await table.createTable({ abortSignal: AbortSignal.timeout(CREATE_MS_MAX) });
    } catch (error) {
      if (tries === TRIES_MAX) throw error;
      await delay(RETRY_MS);
    }
  }
}

const CREATE_MS_MAX = 10_000;

/** Bounds all tries of a listing together. */
const LISTING_MS_MAX = 180_000;

/** Every row that a region lists. Rejects when it does not answer. */
export async function listTable(table: TableClient): Promise<ReadonlyMap<string, RowSeen>> {
  const deadlineMs = performance.now() + LISTING_MS_MAX;
  for (let tries = 1; ; tries += 1) {
    const { result, note } = await list(table);
    if (result !== undefined) return result.rows;
    if (tries === TRIES_MAX || performance.now() >= deadlineMs)
      throw new Error(`the rows of a region could not be listed: ${note}`);
    await delay(RETRY_MS);
  }
}

/** Reads what a region shows of each row that it lists, and of the others that were ever heard of, one by one. */
export async function readTable(
  region: string,
  table: TableClient,
  known: Iterable<string>,
): Promise<TableState> {
  const rows = new Map(await listTable(table));
  const waiting = [...new Set(known)].filter((row) => !rows.has(row));
  const readOn = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      rows.set(next, await readUntilAnswered(table, next));
    }
  };
  await Promise.all(Array.from({ length: READS_AT_ONCE }, readOn));
  return { region, rows };
}

async function readUntilAnswered(table: TableClient, row: string): Promise<RowSeen> {
  for (let tries = 1; ; tries += 1) {
    const { result, note } = await readRow(table, row);
    if (result !== undefined) return result;
    if (tries === TRIES_MAX) throw new Error(`row ${row} could not be read: ${note}`);
    await delay(RETRY_MS);
  }
}
