import { setTimeout as delay } from 'node:timers/promises';
import type { TableClient } from '@azure/data-tables';
import type { HistoryLog } from '../history/history-log.ts';
import type { RowOperation, RowSeen, RowValues } from '../history/row-operation.ts';
import type { Random } from '../random.ts';
import { thinkMsMaxOf } from './run-client.ts';
import { list, readRow, write, writeTogether } from './table-client.ts';

export interface TableClientOptions {
  readonly home: string;
  /** By the name of the region whose endpoint it asks. */
  readonly tables: Readonly<Record<string, TableClient>>;
  readonly history: HistoryLog<RowOperation>;
  readonly rows: RowPool;
  readonly random: Random;
  readonly signal: AbortSignal;
}

/** Rows, and groups of rows, that all clients work on at the moment, so that they meet. */
export interface RowPool {
  readonly rows: { readonly row: string; usesLeft: number }[];
  readonly groups: { readonly group: readonly string[]; usesLeft: number }[];
}

export function createRowPool(): RowPool {
  return { rows: [], groups: [] };
}

const ROWS_MAX = 24;
const GROUPS_MAX = 6;
/** What is written over leaves nothing to check at the end, so nothing is written to for ever. */
const USES_MIN = 3;
const USES_MAX = 16;
const BACK_OFF_MS_MIN = 100;
const BACK_OFF_MS_MAX = 400;
/** With characters that have a meaning in keys, paths and filters. */
const PARTITIONS = ['plain', 'with space', "it's!", 'a(b)=,c', 'caf\u00e9 %25'] as const;
/** A few small ones; and now and then one whose set takes more than a store transaction holds beside its outbox row. */
const GROUP_SIZES = [2, 2, 3, 3, 12] as const;
const LARGE_GROUP_SIZES = [99, 100] as const;
const LARGE_CHANCE = 0.06;
/** Every use by two regions at once is a conflict of each of its rows, which a busy machine has to work off. */
const LARGE_USES = 3;
const LONG_CHANCE = 0.1;
const LONG_LENGTH = 20_000;
/** For rows of a large group: enough that the whole does not fit one message. */
const LONG_IN_GROUP = 4_000;

/** One application: writes through the endpoint of its region, and of another while that is in trouble. */
export async function runTableClient(options: TableClientOptions): Promise<void> {
  const { random, signal, tables } = options;
  const [first = options.home, ...rest] = Object.keys(tables);
  let { home } = options;
  while (!signal.aborted) {
    const outcome = await actOnce({ ...options, home });
    const isTrouble = outcome === 'unknown';
    home = isTrouble ? random.pick([first, ...rest]) : options.home;
    const pauseMs = isTrouble
      ? random.between(BACK_OFF_MS_MIN, BACK_OFF_MS_MAX)
      : random.between(0, thinkMsMaxOf(Object.keys(tables).length));
    await delay(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}

async function actOnce(options: TableClientOptions): Promise<RowOperation['outcome']> {
  const { random } = options;
  const ticket = random.next();
  if (ticket < 0.2) return transact(options);
  if (ticket < 0.25) return readGroup(options);
  const row = takeRow(options);
  if (ticket < 0.35) return (await read(options, row)).outcome;
  if (ticket < 0.5) return perform(options, { action: 'insert', row });
  if (ticket < 0.7) return perform(options, { action: 'replace', row });
  if (ticket < 0.8) return perform(options, { action: 'merge', row });
  if (ticket < 0.88) return perform(options, { action: 'delete', row });
  const { seen } = await read(options, row);
  if (seen?.kind !== 'present') return perform(options, { action: 'insert', row });
  return perform(options, { action: random.pick(['replace', 'merge', 'delete']), row, over: seen });
}

function takeRow({ rows: { rows }, random }: TableClientOptions): string {
  const index = random.between(0, ROWS_MAX - 1);
  let found = rows[index];
  if (found === undefined || found.usesLeft <= 0) {
    const row = `${random.pick(PARTITIONS)}/${random.uuid()}`;
    found = { row, usesLeft: random.between(USES_MIN, USES_MAX) };
    rows[Math.min(index, rows.length)] = found;
  }
  found.usesLeft -= 1;
  return found.row;
}

function takeGroup({ rows: { groups }, random }: TableClientOptions): readonly string[] {
  const index = random.between(0, GROUPS_MAX - 1);
  let found = groups[index];
  if (found === undefined || found.usesLeft <= 0) {
    const partition = `group ${random.uuid()}`;
    const isLarge = random.chance(LARGE_CHANCE);
    const size = random.pick(isLarge ? LARGE_GROUP_SIZES : GROUP_SIZES);
    const group = Array.from({ length: size }, (_, place) => `${partition}/${place}`);
    const usesLeft = isLarge ? LARGE_USES : random.between(USES_MIN, USES_MAX);
    found = { group, usesLeft };
    groups[Math.min(index, groups.length)] = found;
  }
  found.usesLeft -= 1;
  return found.group;
}

type Planned = Pick<RowOperation, 'action' | 'row' | 'over'>;

async function perform(
  { home, tables, history, random }: TableClientOptions,
  planned: Planned,
): Promise<RowOperation['outcome']> {
  const id = history.nextId();
  const values = planned.action === 'delete' ? undefined : chooseValues(`m${id}`, random);
  const startMs = performance.now();
  const { outcome, status, note } = await write(tableOf(tables, home), { ...planned, values });
  const endMs = performance.now();
  history.add({ ...planned, id, region: home, values, startMs, endMs, outcome, status, note });
  return outcome;
}

async function read(
  { home, tables, history }: TableClientOptions,
  row: string,
): Promise<RowOperation> {
  const id = history.nextId();
  const startMs = performance.now();
  const { outcome, status, note, result: seen } = await readRow(tableOf(tables, home), row);
  const endMs = performance.now();
  const common = { id, action: 'read', region: home, row, values: undefined } as const;
  const operation = { ...common, startMs, endMs, outcome, status, note, seen };
  history.add(operation);
  return operation;
}

/** Writes or deletes a group whole. */
async function transact(options: TableClientOptions): Promise<RowOperation['outcome']> {
  const { home, tables, history, random } = options;
  const group = takeGroup(options);
  const together = history.nextId();
  const isDeletion = random.chance(0.12);
  const isLong = random.chance(LONG_CHANCE);
  const values: RowValues | undefined = isDeletion
    ? undefined
    : { mark: `m${together}`, ...(isLong ? { first: `f${together}*${LONG_IN_GROUP}` } : {}) };
  const startMs = performance.now();
  const parts = group.map((row) => ({ row, values }));
  const { outcome, status, note } = await writeTogether(tableOf(tables, home), parts);
  const endMs = performance.now();
  const action = isDeletion ? 'delete' : 'replace';
  const told = { action, region: home, startMs, endMs, outcome, status, note, together } as const;
  for (const part of parts) history.add({ ...told, ...part, id: history.nextId(), group });
  return outcome;
}

/** Reads a group in one query of its partition. */
async function readGroup(options: TableClientOptions): Promise<RowOperation['outcome']> {
  const { home, tables, history } = options;
  const group = takeGroup(options);
  const [partition = ''] = group[0]?.split('/') ?? [];
  const together = history.nextId();
  const startMs = performance.now();
  const { outcome, status, note, result } = await list(tableOf(tables, home), partition);
  const endMs = performance.now();
  // Only what one request shows is of one moment.
  if (result === undefined || result.pages > 1) return outcome;
  const told = {
    action: 'read',
    region: home,
    values: undefined,
    startMs,
    endMs,
    outcome,
  } as const;
  for (const row of group) {
    const seen: RowSeen = result.rows.get(row) ?? { kind: 'absent' };
    history.add({ ...told, row, id: history.nextId(), status, note, seen, together, group });
  }
  return outcome;
}

function chooseValues(mark: string, random: Random): RowValues {
  const isLong = random.chance(LONG_CHANCE);
  return {
    mark,
    ...(random.chance(0.6) ? { first: `first of ${mark}` } : {}),
    ...(random.chance(0.6)
      ? { second: `second of ${mark}${isLong ? `*${LONG_LENGTH}` : ''}` }
      : {}),
  };
}

function tableOf(tables: TableClientOptions['tables'], region: string): TableClient {
  const table = tables[region];
  if (table === undefined) throw new Error(`There is no region ${region}.`);
  return table;
}
