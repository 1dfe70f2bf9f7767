import {
  AppError,
  type FieldValue,
  fingerprintOf,
  type OpenKey,
  type Predicate,
  publicETag,
} from '@tandem/core';
import type { RegionOpenTables } from '@tandem/region/testing';
import type { OpenOperation, OpenOutcome, OpenRecord, WriteCondition } from '@tandem/storage';
import { toRaw } from '../observe/read-raw.ts';
import type { ApiProcess } from '../processes/api-process.ts';
import type { MigrationPlan } from '../run/run-plan.ts';
import type { World } from '../world/world.ts';
import type { PlainAnswer, PlainPart } from './plain-table.ts';
import { valuesText } from './plain-table.ts';

/** The name of the table at the endpoints. */
export const TABLE = 'Orders';

/**
 * All that clients do with the rows of one PartitionKey they do in one region, since two of them need not see at once what the other
 * has: `away` is served from the overlay on, and until the table is returned.
 */
export const PARTITIONS = [
  { partitionKey: 'a', place: 'home' },
  { partitionKey: 'a b', place: 'home' },
  { partitionKey: 'b!', place: 'away' },
] as const;

/** Nobody ever writes to the last two, which are there from the beginning as the first ones are. */
export const ROW_KEYS = ['1', '2', '3', '4', 'x', 'y z'] as const;
const WRITTEN = ROW_KEYS.slice(0, 4);
export const OLD_KEYS: ReadonlySet<string> = new Set(['1', '3', 'x', 'y z']);
/** The property by which pages are asked for. */
const RANK = 'rank';
const RANK_MAX = 99;
const RANK_ASKED = 50;

export interface SeenRow extends OpenKey {
  readonly values: string;
  readonly etag: string;
}

/** What a client asked for and was told. Times are true ones. */
export type PlainOperation = {
  readonly id: string;
  readonly region: string;
  readonly partitionKey: string;
  readonly startMs: number;
  endMs: number;
  /** Why it came to nothing, or nobody knows what came of it; undefined where it was answered. */
  failure?: string;
} & (
  | { readonly kind: 'write'; readonly parts: readonly PlainPart[]; answer: PlainAnswer }
  | { readonly kind: 'get'; readonly rowKey: string; seen: SeenRow | undefined }
  | {
      readonly kind: 'scan';
      readonly isFiltered: boolean;
      readonly pages: ScannedPage[];
      isWhole: boolean;
    }
);

interface ScannedPage {
  readonly startMs: number;
  readonly endMs: number;
  readonly rows: readonly SeenRow[];
}

type Write = Extract<PlainOperation, { kind: 'write' }>;

export interface PlainClientOptions {
  readonly world: World;
  readonly plan: MigrationPlan;
  readonly history: PlainOperation[];
  readonly index: number;
  /** Whether there is nothing more to see. */
  readonly isOver: () => boolean;
}

const KINDS = [
  'insert',
  'insert',
  'put',
  'put',
  'merge',
  'merge',
  'merge',
  'remove',
  'remove',
  'transact',
  'transact',
  'get',
  'get',
  'scan',
] as const;
const MEETS_PROBABILITY = 0.4;
const MEETS_MS = 1_000;
const HOT_PROBABILITY = 0.3;
const PATIENCE_MS = 30_000;
const PAGES_MAX = 60;
/** What a client is answered where the region does not serve the table as it is. */
export const UNSERVED = 'unserved';
/** Who was answered that there is none, or nobody, waits before he asks for the next. */
const REFUSED_MS = 1_500;

/** A client of the table, which knows nothing of where it is. */
export async function runPlainClient(options: PlainClientOptions): Promise<void> {
  const { world, plan, index, isOver } = options;
  const { draw, scheduler } = world;
  /** ETags that it holds, by partition and row. */
  const held = new Map<string, string>();
  for (let count = 0; count < plan.operationsPerClient; count += 1) {
    const id = `plain${index}.${count}`;
    await scheduler.sleep(draw.integer(`${id}.think`, [1, plan.thinkMsMax]));
    // Else two hardly ever want the same at once.
    if (draw.chance(`${id}.meets`, MEETS_PROBABILITY)) {
      await scheduler.sleep(MEETS_MS - (scheduler.nowMs() % MEETS_MS));
    }
    if (isOver()) return;
    const { partitionKey, place } = draw.pick(`${id}.partition`, PARTITIONS);
    const region = regionOf(world, place);
    const api = apiOf(world, region, id);
    if (api?.moving === undefined) continue;
    const asked = { id, region, partitionKey };
    const done = await ask(options, { api, asked, held });
    if (done?.failure !== undefined) await scheduler.sleep(REFUSED_MS);
  }
}

export function regionOf({ plan }: World, place: 'home' | 'away'): string {
  const home = plan.migration?.home ?? '';
  return place === 'home' ? home : (plan.regions.find((name) => name !== home) ?? home);
}

function apiOf({ draw, regionNamed }: World, region: string, id: string): ApiProcess | undefined {
  const apis = [...regionNamed(region).apis.values()];
  return apis.length === 0 ? undefined : draw.pick(`${id}.api`, apis);
}

interface Asking {
  readonly api: ApiProcess;
  readonly asked: Pick<PlainOperation, 'id' | 'region' | 'partitionKey'>;
  readonly held: Map<string, string>;
}

async function ask(
  options: PlainClientOptions,
  asking: Asking,
): Promise<PlainOperation | undefined> {
  const { world, history } = options;
  const { draw, scheduler, trace } = world;
  const { api, asked, held } = asking;
  const { id, partitionKey } = asked;
  const kind = draw.pick(`${id}.kind`, KINDS);
  const timed = { ...asked, startMs: scheduler.nowMs(), endMs: Number.POSITIVE_INFINITY };
  const isHot = draw.chance(`${id}.hot`, HOT_PROBABILITY);
  const rowKey = isHot ? '1' : draw.pick(`${id}.row`, kind === 'get' ? ROW_KEYS : WRITTEN);
  const operation: PlainOperation =
    kind === 'get'
      ? { ...timed, kind, rowKey, seen: undefined }
      : kind === 'scan'
        ? {
            ...timed,
            kind,
            isFiltered: draw.chance(`${id}.filter`, 0.5),
            pages: [],
            isWhole: false,
          }
        : { ...timed, kind: 'write', parts: [], answer: { kind: 'unknown' } };
  let recorded = operation;
  const perform = async (tables: RegionOpenTables): Promise<void> => {
    if (operation.kind === 'get') {
      operation.seen = seenOf(await rowsOf(tables).get({ partitionKey, rowKey }));
      if (operation.seen !== undefined) held.set(`${partitionKey}/${rowKey}`, operation.seen.etag);
    } else if (operation.kind === 'scan') await scan(world, tables, operation);
    else if (kind !== 'get' && kind !== 'scan') {
      const operations = operationsOf(world, { asked, held }, { kind, rowKey });
      const write: Write = { ...operation, parts: operations.map(partOf) };
      recorded = write;
      history.push(write);
      await writeRows(tables, { operations, write, held });
    }
  };
  if (operation.kind !== 'write') history.push(operation);
  const performing = settle(world, api, perform);
  const failure = await Promise.race([performing, broken(world, api)]);
  if (failure !== undefined) recorded.failure = failure;
  // What had no answer may happen at any time.
  else recorded.endMs = scheduler.nowMs();
  trace.note(`${id} ${asked.region} ${kind} ${partitionKey}/${rowKey} ${failure ?? 'answered'}`);
  return recorded;
}

/** Resolves with why it failed, if it did. */
async function settle(
  world: World,
  { incarnation, moving }: ApiProcess,
  perform: (tables: RegionOpenTables) => Promise<void>,
): Promise<string | undefined> {
  if (moving === undefined) return 'no endpoint';
  try {
    await perform(moving);
    return undefined;
  } catch (error) {
    // Nothing was done: the table is where it takes no writes, or none here.
    if (error instanceof AppError && error.details?.['state'] !== undefined) return UNSERVED;
    if (error instanceof AppError) return error.code;
    world.reportBug(incarnation, error);
    return 'bug';
  }
}

function rowsOf(tables: RegionOpenTables): ReturnType<RegionOpenTables['open']> {
  return tables.open(TABLE);
}

export function seenOf(record: OpenRecord | undefined): SeenRow | undefined {
  if (record === undefined) return undefined;
  const { partitionKey, rowKey, values, version } = record;
  return { partitionKey, rowKey, values: textsOf(values), etag: publicETag(version) };
}

export function textsOf(values: ReadonlyMap<string, FieldValue | null>): string {
  return valuesText(rawTexts(values));
}

function rawTexts(values: ReadonlyMap<string, FieldValue | null>): Map<string, string> {
  return new Map(
    [...values].map(([name, value]) => [name, JSON.stringify(toRaw(value ?? undefined))]),
  );
}

function partOf({ rowKey, kind, values, condition }: OpenOperation): PlainPart {
  return {
    rowKey,
    how: kind,
    values: rawTexts(values ?? new Map()),
    condition:
      condition === undefined
        ? 'none'
        : condition.kind === 'etag'
          ? { etag: condition.etag }
          : condition.kind === 'absent'
            ? 'absent'
            : 'present',
  };
}

type WriteKind = Exclude<(typeof KINDS)[number], 'get' | 'scan'>;

function operationsOf(
  { draw }: World,
  { asked: { id, partitionKey }, held }: Pick<Asking, 'asked' | 'held'>,
  { kind, rowKey }: { readonly kind: WriteKind; readonly rowKey: string },
): readonly OpenOperation[] {
  const key = { partitionKey, rowKey };
  const etag = held.get(`${partitionKey}/${rowKey}`);
  const asks = draw.pick(`${id}.condition`, ['none', 'etag', 'etag', 'present'] as const);
  const condition: WriteCondition | undefined =
    asks === 'none'
      ? undefined
      : asks === 'etag' && etag !== undefined
        ? { kind: 'etag', etag }
        : { kind: 'present' };
  const values = (place: number): ReadonlyMap<string, FieldValue> => {
    const mark: FieldValue = { type: 'String', value: `${id}.${place}` };
    const rank: FieldValue = {
      type: 'Int32',
      value: draw.integer(`${id}.${place}.rank`, [0, RANK_MAX]),
    };
    // Of several that are written one after the other, each tells whose a property is.
    const name = draw.pick(`${id}.${place}.property`, ['mark', 'other', '_vector']);
    const isRanked = kind === 'insert' || draw.chance(`${id}.${place}.ranked`, 0.6);
    return new Map<string, FieldValue>([
      [name, mark],
      ...(isRanked ? [[RANK, rank] as const] : []),
    ]);
  };
  if (kind === 'insert') {
    return [{ ...key, kind: 'put', values: values(0), condition: { kind: 'absent' } }];
  }
  if (kind === 'remove') return [{ ...key, kind, condition }];
  if (kind !== 'transact') return [{ ...key, kind, values: values(0), condition }];
  const other = draw.pick(
    `${id}.other`,
    WRITTEN.filter((one) => one !== rowKey),
  );
  return [rowKey, other].map((one, place): OpenOperation => {
    const how = draw.pick(`${id}.part${place}`, ['put', 'put', 'merge', 'remove'] as const);
    const own = { partitionKey, rowKey: one, ...(place === 0 ? { condition } : {}) };
    return how === 'remove' ? { ...own, kind: how } : { ...own, kind: how, values: values(place) };
  });
}

interface Writing {
  readonly operations: readonly OpenOperation[];
  readonly write: Write;
  readonly held: Map<string, string>;
}

async function writeRows(
  tables: RegionOpenTables,
  { operations, write, held }: Writing,
): Promise<void> {
  const rows = rowsOf(tables);
  const done = await rows.transact(operations, fingerprintOf([write.id]));
  if (done.kind === 'refused') {
    write.answer = { kind: 'refused', index: done.index };
    return;
  }
  const etags = done.outcomes.map(etagOf);
  write.answer = { kind: 'done', etags };
  for (const [index, { partitionKey, rowKey }] of operations.entries()) {
    const etag = etags[index];
    if (etag !== undefined) held.set(`${partitionKey}/${rowKey}`, etag);
  }
}

function etagOf(outcome: OpenOutcome): string | undefined {
  return 'record' in outcome ? publicETag(outcome.record.version) : undefined;
}

/** Rows of such a rank are asked for by a filter. */
export function isRanked(values: string): boolean {
  const rank = new Map(JSON.parse(values) as [string, string][]).get(RANK);
  const [, value] = rank === undefined ? [] : (JSON.parse(rank) as [string, number]);
  return value !== undefined && value >= RANK_ASKED;
}

const IS_RANKED: Predicate = {
  kind: 'compare',
  name: RANK,
  operator: 'ge',
  value: { type: 'Int32', value: RANK_ASKED },
};

export async function scan(
  { draw, scheduler }: World,
  tables: RegionOpenTables,
  operation: Extract<PlainOperation, { kind: 'scan' }>,
): Promise<void> {
  const { id, isFiltered, pages } = operation;
  const where = isFiltered ? IS_RANKED : undefined;
  let cursor: string | undefined;
  for (let count = 0; count < PAGES_MAX; count += 1) {
    const limit = draw.integer(`${id}.${count}.limit`, [1, 5]);
    const startMs = scheduler.nowMs();
    const page = await rowsOf(tables).query({ where, limit, ...(cursor && { cursor }) });
    const rows = page.records.flatMap((record) => seenOf(record) ?? []);
    pages.push({ startMs, endMs: scheduler.nowMs(), rows });
    ({ cursor } = page);
    if (cursor === undefined) {
      operation.isWhole = true;
      return;
    }
    await scheduler.sleep(draw.integer(`${id}.${count}.break`, [1, 1_500]));
  }
}

function broken({ scheduler }: World, { incarnation }: ApiProcess): Promise<string> {
  return new Promise((resolve) => {
    incarnation.signal.addEventListener('abort', () => resolve('crashed'), { once: true });
    if (incarnation.signal.aborted) resolve('crashed');
    scheduler.schedule(PATIENCE_MS, () => resolve('no answer'));
  });
}
