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
  /** Those that could be read. */
  readonly regions: readonly State[];
  /** A region that does not answer in the end is what is looked for, and no reason to judge nothing. */
  readonly unread: readonly Unread[];
  readonly waitedMs: number;
}

interface Unread {
  readonly region: string;
  readonly why: string;
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
    read: all.map(([region, url]) => ({ region, read: () => readRegion(region, url, ids) })),
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
    read: all.map(([region, table]) => ({ region, read: () => readTable(region, table, rows) })),
    textOf: (state) => rowsText(state.rows),
  });
}

interface Comparison<State> extends Omit<Waiting, 'known'> {
  readonly list: () => Promise<readonly string[]>;
  readonly read: readonly { readonly region: string; readonly read: () => Promise<State> }[];
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
      const { regions, unread } = await readAll(read);
      const waitedMs = Math.round(performance.now() - startedMs);
      // Of one state every region makes the same entity tag; what differs only in it is on its way.
      const isEqual = unread.length === 0 && isSame(regions.map(describe));
      if (isOver || isEqual) return { regions, unread, waitedMs };
    }
    await delay(POLL_MS);
  }
}

async function readAll<State>(
  reads: Comparison<State>['read'],
): Promise<Pick<End<State>, 'regions' | 'unread'>> {
  const outcomes = await Promise.allSettled(reads.map(({ read }) => read()));
  return {
    regions: outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])),
    unread: outcomes.flatMap((one, index) =>
      one.status === 'fulfilled'
        ? []
        : [{ region: reads[index]?.region ?? '', why: String(one.reason) }],
    ),
  };
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
