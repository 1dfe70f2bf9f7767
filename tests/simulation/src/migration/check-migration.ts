import { AppError, catalogKind, encodeOpenId, formatGeneration, openTableId } from '@tandem/core';
import type { Report } from '../checkers/watch.ts';
import type { RawValue } from '../observe/raw-state.ts';
import { PLAIN_TABLE } from '../world/describe-transaction.ts';
import type { World } from '../world/world.ts';
import type { Migration } from './migration.ts';
import { explain, type PlainEvent, type PlainRow, valuesText } from './plain-table.ts';
import { type Whereabouts, whereaboutsIn } from './run-migrator.ts';
import {
  isRanked,
  PARTITIONS,
  type PlainOperation,
  ROW_KEYS,
  regionOf,
  type SeenRow,
  scan,
  seenOf,
  TABLE,
  textsOf,
  UNSERVED,
} from './run-plain-client.ts';

/** What clients are answered where a service is of no use for a moment; their SDKs ask again. */
const PASSING = new Set([
  'TABLE_UNAVAILABLE',
  'TABLE_THROTTLED',
  'TABLE_OUTCOME_UNKNOWN',
  'WRITE_CONTENDED',
  'OVERLOADED',
  'crashed',
  'no answer',
  'bug',
  UNSERVED,
]);
const CUT_STATES = new Set<string>(['closing', 'returning', 'overlay', 'joining', 'turning']);
const CUT_PROBABILITY = 0.5;
const CUT_MS = [5_000, 45_000] as const;
const READ_MS_MAX = 120_000;

/** The rows of plain tables as their stores have them, by account and key. */
type Shadows = ReadonlyMap<string, Map<string, string>>;

/** Watches at each moment who writes where, and that each state says no more than is so. */
export function watchMigration(migration: Migration, world: World, report: Report): void {
  const { accounts, plan, initial } = migration;
  const shadows: Shadows = new Map([...accounts.keys()].map((name) => [name, new Map()]));
  for (const { partitionKey, rowKey, values } of initial) {
    shadows.get('shop')?.set(`${partitionKey}/${rowKey}`, values);
  }
  for (const [name, account] of accounts) {
    account.onCommitted(({ table, partitionKey, operations }, site) => {
      if (table !== PLAIN_TABLE) return;
      checkWriter({ where: whereaboutsIn(migration), name, site }, report);
      for (const operation of operations) {
        const key = `${partitionKey}/${operation.rowKey}`;
        if (operation.kind === 'delete') shadows.get(name)?.delete(key);
        else shadows.get(name)?.set(key, textsOf(operation.properties));
      }
    });
  }
  let before: Whereabouts | undefined;
  world.regionNamed(plan.home).account.onCommitted(({ table }) => {
    if (table !== catalogKind.name) return;
    const now = whereaboutsIn(migration);
    if (now.move !== before?.move && now.move !== undefined) {
      world.situations.note(`moved-to-${now.move}`);
      if (now.move === 'settled') checkSettled({ migration, world }, now, report);
    }
    if (
      now.state === before?.state &&
      now.generation === before.generation &&
      now.move === before.move
    )
      return;
    before = now;
    if (now.state === 'proxy')
      migration.adoptedMs = Math.min(migration.adoptedMs, world.scheduler.nowMs());
    world.situations.note(`moved-to-${now.state}`);
    checkState({ migration, world, shadows }, now, report);
    cutOff(migration, world, now);
    if (now.state === 'proxy' && now.generation > 0) {
      noteReturn(migration, world, now).catch((error: unknown) =>
        world.reportBug(undefined, error),
      );
    }
  });
}

/** Who is not to write any more may be the last to hear of it, and who is to hear of him too. */
function cutOff({ plan, facesTroubleUntilMs }: Migration, world: World, now: Whereabouts): void {
  const { draw, scheduler, links, faults } = world;
  const state = now.move ?? now.state;
  if (!CUT_STATES.has(state)) return;
  const id = `cut.${state}.${scheduler.nowMs()}`;
  if (!draw.chance(id, CUT_PROBABILITY)) return;
  const away = draw.pick(
    `${id}.region`,
    world.plan.regions.filter((name) => name !== plan.home),
  );
  const [from, to] = draw.pick(`${id}.way`, [
    [plan.home, away],
    [away, plan.home],
  ] as const);
  const leftMs = facesTroubleUntilMs - scheduler.nowMs();
  if (leftMs <= 0 || !faults.admits(id, 'cut-one-way')) return;
  const link = links.between(from, to);
  link.cuts += 1;
  scheduler.schedule(Math.min(draw.integer(`${id}.duration`, CUT_MS), leftMs), () => {
    link.cuts -= 1;
    link.lastFaultMs = scheduler.nowMs();
  });
}

function checkWriter(
  {
    where,
    name,
    site,
  }: { readonly where: Whereabouts; readonly name: string; readonly site: string },
  report: Report,
): void {
  const { state, from } = where;
  const isForwarded = state === 'proxy' || state === 'frozen';
  const isMirrors = site.startsWith('mirror.') || site.startsWith('return.');
  if (isMirrors && name === from && (isForwarded || state === 'returned')) {
    report('mirror-late', `${site} wrote to ${name} when the table was ${state} on it`);
  }
  if (!isMirrors && !(isForwarded && name === from)) {
    report('old-written', `${site} wrote to ${name} when the table was ${state} on ${from}`);
  }
  if (isMirrors && name === where.overlaid) {
    report('old-written', `${site} wrote to ${name}, which the table lies over`);
  }
}

interface Watched {
  readonly migration: Migration;
  readonly world: World;
  readonly shadows: Shadows;
}

function checkState(
  { migration, world, shadows }: Watched,
  { state, generation, from, overlaid }: Whereabouts,
  report: Report,
): void {
  const { plan, ledger } = migration;
  const tableId = openTableId(TABLE.toLowerCase(), formatGeneration(generation));
  if (state === 'copied' || state === 'done') {
    const regions = state === 'copied' ? [plan.home] : world.plan.regions;
    for (const region of regions) {
      const { rows } = ledger.regionNamed(region);
      for (const key of shadows.get(from)?.keys() ?? []) {
        if (!rows.has(idOf(tableId, key)))
          report('copied-early', `the table is ${state}, and ${region} has no ${key}`);
      }
    }
  }
  if (state !== 'returned') return;
  const plain = shadows.get(from) ?? new Map<string, string>();
  const old = overlaid === undefined ? undefined : shadows.get(overlaid);
  const { rows } = ledger.regionNamed(plan.home);
  for (const { partitionKey } of PARTITIONS) {
    for (const rowKey of ROW_KEYS) {
      const key = `${partitionKey}/${rowKey}`;
      const own = rows.get(idOf(tableId, key));
      const shown =
        own === undefined ? old?.get(key) : own.isAlive ? rawText(own.values) : undefined;
      if (shown === plain.get(key)) continue;
      report('returned-unequal', `${key} is ${shown} here, and ${plain.get(key)} in ${from}`);
    }
  }
}

/** Nothing else happens before it is read. */
async function noteReturn(
  { accounts, returns }: Migration,
  { scheduler }: World,
  { from }: Whereabouts,
): Promise<void> {
  const atMs = scheduler.nowMs();
  const range = { table: PLAIN_TABLE, partitions: { from: '', before: '\uffff' }, limit: 1_000 };
  const page = await accounts.get(from)?.store.query(range);
  const rows = (page?.rows ?? []).map(({ partitionKey, rowKey, etag, properties }) => ({
    partitionKey,
    rowKey,
    etag,
    values: textsOf(properties),
  }));
  returns.push({ atMs, rows });
}

function idOf(tableId: string, key: string): string {
  const at = key.indexOf('/');
  return encodeOpenId(tableId, { partitionKey: key.slice(0, at), rowKey: key.slice(at + 1) });
}

function rawText(values: ReadonlyMap<string, RawValue>): string {
  return valuesText(new Map([...values].map(([name, value]) => [name, JSON.stringify(value)])));
}

/** Whether all has arrived that was written, everywhere. */
export function hasMoved({ desk, ledger, clients }: Migration, world: World): boolean {
  const views = world.plan.regions.map((name) => ledger.regionNamed(name));
  if (!desk.isClosed || clients > 0 || views.some(({ outboxKeys }) => outboxKeys.size > 0))
    return false;
  const [first, ...others] = views;
  return others.every(
    (other) =>
      first !== undefined &&
      isSame(other.rows, first.rows) &&
      isSame(other.movedRows, first.movedRows) &&
      isSame(other.records, first.records),
  );
}

type Texts = ReadonlyMap<string, { readonly text: string }>;

function isSame(some: Texts, others: Texts): boolean {
  const keys = new Set([...some.keys(), ...others.keys()]);
  return [...keys].every((key) => some.get(key)?.text === others.get(key)?.text);
}

/** What is settled is read in the new space alone: it has to contain all that was ever in the old one, and its archive too. */
function checkSettled(
  { migration: { ledger }, world }: Pick<Watched, 'migration' | 'world'>,
  { generation }: Whereabouts,
  report: Report,
): void {
  const tableId = openTableId(TABLE.toLowerCase(), formatGeneration(generation));
  for (const region of world.plan.regions) {
    const { rows, movedRows, movedStates } = ledger.regionNamed(region);
    for (const [id, { vector }] of rows) {
      // What it was before it was returned is another table, which stays.
      if (!id.startsWith(tableId)) continue;
      const moved = movedRows.get(id)?.vector;
      if (!contains(moved, vector))
        report('moved-early', `${region} has no ${id} in the new space`);
      if (!contains(movedStates.get(id)?.vector, vector)) {
        report('moved-unarchived', `${region} has archived less of ${id} in the new space`);
      }
    }
  }
}

type RawVector = ReadonlyMap<string, string>;

function contains(some: RawVector | undefined, other: RawVector): boolean {
  return [...other].every(([region, stamp]) => (some?.get(region) ?? '') >= stamp);
}

/** I24, I26: what holds in the end, when all is quiet. */
export async function checkMigration(
  migration: Migration,
  world: World,
  report: Report,
): Promise<void> {
  const { desk, history, initial } = migration;
  if (desk.isStuck) report('migration-stuck', `it does not go on: ${desk.last}`);
  if (!hasMoved(migration, world)) report('migration-differs', 'the regions have other rows');
  const last = await readInTheEnd(migration, world, report);
  checkAnswers(migration, report);
  const all = [...history, ...last];
  for (const { partitionKey, place } of PARTITIONS) {
    const own = regionOf(world, place);
    const events = all.flatMap((one) => {
      // In the end every region shows the same.
      if (one.region !== own && !last.includes(one)) return [];
      return eventsOf(one, partitionKey);
    });
    for (const { atMs, rows } of migration.returns) {
      const id = `returned at ${atMs}`;
      // Another region shows its own rows, which nobody writes, until it has heard.
      const endMs = place === 'home' ? atMs : Number.POSITIVE_INFINITY;
      const there = rowsOf(rows, partitionKey);
      events.push({ id, kind: 'returned', startMs: atMs, endMs, rows: there });
    }
    const verdict = explain(rowsOf(initial, partitionKey), events);
    if (verdict.kind === 'open') world.situations.note('order-not-searched');
    if (verdict.kind === 'wrong') report('not-one-table', `${partitionKey}: ${verdict.text}`);
  }
}

function rowsOf(rows: readonly SeenRow[], partitionKey: string): ReadonlyMap<string, PlainRow> {
  const own = rows.filter((one) => one.partitionKey === partitionKey);
  return new Map(own.map(({ rowKey, values, etag }) => [rowKey, { values, etag }]));
}

/** Reads everything in every region that serves the table, as clients do. */
async function readInTheEnd(
  migration: Migration,
  world: World,
  report: Report,
): Promise<readonly PlainOperation[]> {
  const { scheduler } = world;
  const read: PlainOperation[] = [];
  const { state } = whereaboutsIn(migration);
  for (const region of world.plan.regions) {
    if (state === 'proxy' && region !== migration.plan.home) continue;
    const [api] = [...world.regionNamed(region).apis.values()];
    const tables = api?.moving;
    if (tables === undefined) continue;
    const work = async (): Promise<void> => {
      for (const { partitionKey } of PARTITIONS) {
        for (const rowKey of ROW_KEYS) {
          const startMs = scheduler.nowMs();
          const seen = seenOf(await tables.open(TABLE).get({ partitionKey, rowKey }));
          const timed = { region, partitionKey, startMs, endMs: scheduler.nowMs() };
          const id = `in the end ${region} ${rowKey}`;
          read.push({ ...timed, id, kind: 'get', rowKey, seen });
        }
      }
      for (const isFiltered of [false, true]) {
        const whole: Extract<PlainOperation, { kind: 'scan' }> = {
          id: `in the end ${region} ${isFiltered ? 'filter' : 'all'}`,
          region,
          partitionKey: '',
          kind: 'scan',
          isFiltered,
          pages: [],
          isWhole: false,
          startMs: scheduler.nowMs(),
          endMs: Number.POSITIVE_INFINITY,
        };
        await scan(world, tables, whole);
        read.push(whole);
      }
    };
    let isDone = false;
    work()
      .catch((error: unknown) => {
        if (error instanceof AppError) report('migration-unserved', `${region}: ${error.message}`);
        else world.reportBug(api?.incarnation, error);
      })
      .finally(() => (isDone = true));
    await scheduler.runUntil(() => isDone, scheduler.nowMs() + READ_MS_MAX);
    if (!isDone) report('migration-unserved', `${region} does not answer`);
  }
  return read;
}

/** Nobody is answered anything but what a table service answers, and each page is one. */
function checkAnswers({ history, plan, adoptedMs }: Migration, report: Report): void {
  for (const operation of history) {
    const { id, failure, region } = operation;
    // Before a region has heard of it there is none.
    const isUnheard =
      failure === 'TABLE_NOT_FOUND' && (region !== plan.home || operation.startMs < adoptedMs);
    if (failure !== undefined && !PASSING.has(failure) && !isUnheard) {
      report('migration-refused', `${id} in ${region} was answered ${failure}`);
    }
    if (operation.kind !== 'scan') continue;
    const keys = operation.pages
      .flatMap(({ rows }) => rows)
      .map(({ partitionKey, rowKey }) => orderOf(partitionKey, rowKey));
    const wrong = keys.findIndex((key, index) => index > 0 && key <= (keys[index - 1] ?? ''));
    if (wrong > 0) report('page-doubled', `${id} shows ${keys[wrong]} behind ${keys[wrong - 1]}`);
    for (const { rows } of operation.pages) {
      const one = rows.find(({ values }) => operation.isFiltered && !isRanked(values));
      if (one !== undefined) report('page-unfiltered', `${id} shows ${JSON.stringify(one)}`);
    }
  }
}

/** As a table orders its rows. */
function orderOf(partitionKey: string, rowKey: string): string {
  return `${partitionKey}\0${rowKey}`;
}

function eventsOf(operation: PlainOperation, partitionKey: string): readonly PlainEvent[] {
  const { id, startMs, endMs, failure } = operation;
  if (operation.kind === 'scan') return scannedIn(operation, partitionKey);
  if (operation.partitionKey !== partitionKey) return [];
  if (operation.kind === 'get') {
    const { rowKey, seen } = operation;
    if (failure !== undefined) return [];
    return [{ id, startMs, endMs, kind: 'read', rowKey, seen }];
  }
  const { parts, answer } = operation;
  if (failure === undefined) return [{ id, startMs, endMs, kind: 'write', parts, answer }];
  if (failure === UNSERVED) return [];
  const unknown = { kind: 'unknown' as const };
  return [{ id, startMs, endMs: Number.POSITIVE_INFINITY, kind: 'write', parts, answer: unknown }];
}

/**
 * Makes a reading of each row out of the pages, which are of no one moment. A row that is not shown was not there, or not one of
 * those asked for, at some moment between the page that shows the last row before it and that which shows the next.
 */
function scannedIn(
  { id, pages, isWhole, isFiltered }: Extract<PlainOperation, { kind: 'scan' }>,
  partitionKey: string,
): readonly PlainEvent[] {
  const shown = pages.flatMap((page) =>
    page.rows.map((row) => ({ row, page, key: orderOf(row.partitionKey, row.rowKey) })),
  );
  return ROW_KEYS.flatMap((rowKey): PlainEvent[] => {
    const key = orderOf(partitionKey, rowKey);
    const own = shown.find((one) => one.key === key);
    const timed = { id: `${id} ${rowKey}`, kind: 'read' as const, rowKey };
    if (own !== undefined) {
      const { startMs, endMs } = own.page;
      return [{ ...timed, startMs, endMs, seen: own.row }];
    }
    const before = shown.findLast((one) => one.key < key);
    const next = shown.find((one) => one.key > key);
    const first = before?.page ?? pages[0];
    const last = next?.page ?? (isWhole ? pages.at(-1) : undefined);
    if (first === undefined || last === undefined) return [];
    const { startMs } = first;
    const asked = isFiltered ? { isAskedFor: isRanked } : {};
    return [{ ...timed, startMs, endMs: last.endMs, seen: undefined, ...asked }];
  });
}
