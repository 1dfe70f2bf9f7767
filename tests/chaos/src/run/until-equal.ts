import { setTimeout as delay } from 'node:timers/promises';
import type { TableClient } from '@azure/data-tables';
import { textOf } from '../checker/check-rows.ts';
import { listRegion, readRegion } from '../clients/read-region.ts';
import { listTable, readTable } from '../clients/read-table.ts';
import { FIELDS, type RegionState, type Seen } from '../history/operation.ts';
import type { RowSeen, TableState } from '../history/row-operation.ts';

interface Waiting {
  readonly known: Iterable<string>;
  readonly waitMsMax: number;
  readonly signal: AbortSignal;
}

export interface End<State> {
  readonly regions: readonly State[];
  readonly waitedMs: number;
}

const POLL_MS = 1_000;

/** Reads the customers of all regions, by the addresses of their APIs, once they list the same, or when they have not in time. */
export function untilEqual(
  urls: Readonly<Record<string, string>>,
  { known, ...waiting }: Waiting,
): Promise<End<RegionState>> {
  const ids = [...known];
  const all = Object.entries(urls);
  return untilSame({
    ...waiting,
    list: async () => (await Promise.all(Object.values(urls).map(listRegion))).map(customersText),
    read: () => Promise.all(all.map(([region, url]) => readRegion(region, url, ids))),
    textOf: ({ customers }) => customersText(customers),
  });
}

/** The same for the rows of an open table. */
export function untilRowsEqual(
  tables: Readonly<Record<string, TableClient>>,
  { known, ...waiting }: Waiting,
): Promise<End<TableState>> {
  const rows = [...known];
  const all = Object.entries(tables);
  return untilSame({
    ...waiting,
    list: async () => (await Promise.all(Object.values(tables).map(listTable))).map(rowsText),
    read: () => Promise.all(all.map(([region, table]) => readTable(region, table, rows))),
    textOf: (state) => rowsText(state.rows),
  });
}

interface Comparison<State> extends Omit<Waiting, 'known'> {
  readonly list: () => Promise<readonly string[]>;
  readonly read: () => Promise<readonly State[]>;
  readonly textOf: (state: State) => string;
}

async function untilSame<State>(comparison: Comparison<State>): Promise<End<State>> {
  const { list, read, textOf: describe, waitMsMax, signal } = comparison;
  const startedMs = performance.now();
  const deadlineMs = startedMs + waitMsMax;
  for (;;) {
    signal.throwIfAborted();
    const isOver = performance.now() >= deadlineMs;
    // A region that does not answer is not equal yet.
    if (isOver || isSame(await list().catch(() => []))) {
      const regions = await read();
      const waitedMs = Math.round(performance.now() - startedMs);
      // Of one state every region makes the same entity tag; what differs only in it is on its way.
      if (isOver || isSame(regions.map(describe))) return { regions, waitedMs };
    }
    await delay(POLL_MS);
  }
}

function isSame(texts: readonly string[]): boolean {
  return texts[0] !== undefined && texts.every((text) => text === texts[0]);
}

function customersText(customers: ReadonlyMap<string, Seen>): string {
  const lines = [...customers].flatMap(([customer, seen]) => {
    if (seen.kind === 'absent') return [];
    const values = FIELDS.map((field) => seen.values[field] ?? null);
    return [JSON.stringify([customer, seen.etag ?? null, ...values])];
  });
  return lines.toSorted().join('\n');
}

function rowsText(rows: ReadonlyMap<string, RowSeen>): string {
  const lines = [...rows].flatMap(([row, seen]) =>
    seen.kind === 'absent' ? [] : [`${row} ${textOf(seen)}`],
  );
  return lines.toSorted().join('\n');
}
