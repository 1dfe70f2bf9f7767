import {
  AppError,
  encodeOpenId,
  type FieldValue,
  fingerprintOf,
  newestStamp,
  type OpenKey,
  publicETag,
  rowsIdOf,
  type TableGeneration,
} from '@tandem/core';
import type { OpenOperation, OpenTable, WriteCondition } from '@tandem/storage';
import type { ApiProcess } from '../processes/api-process.ts';
import type { TablesPlan } from '../run/run-plan.ts';
import type { World } from '../world/world.ts';
import type { OpenTables } from './open-tables.ts';
import type { TableOperation, TableOperationKind, TableOutcome } from './tables-history.ts';

export interface TableClientOptions {
  readonly world: World;
  readonly plan: TablesPlan;
  readonly history: TableOperation[];
  readonly index: number;
  /** True times between which it works. */
  readonly windows: readonly (readonly [fromMs: number, beforeMs: number])[];
}

/** The merge policy of each: a table keeps it for its life. */
export const TABLE_POLICIES = { orders: 'row', devices: 'field' } as const;
type TableKey = keyof typeof TABLE_POLICIES;
const TABLES: readonly TableKey[] = ['orders', 'devices'];
const KINDS: readonly TableOperationKind[] = [
  'create',
  'create',
  'create',
  'delete',
  'restore',
  'restore',
  'put',
  'put',
  'put',
  'insert',
  'merge',
  'merge',
  'remove',
  'transact',
  'transact',
  'get',
];
const PARTITIONS = ['p', 'q'];
const ROWS = ['1', '2'];
const PROPERTIES = ['a', 'b', 'c', 'id', '_vector'];
const PATIENCE_MS = 30_000;
const IDS_PER_CLIENT = 1_000;
/** Whoever has deleted a table by mistake is soon back. */
const BACK_PROBABILITY = 0.5;
/** Not every client gives its requests a name. */
const NAMED_PROBABILITY = 0.8;
/** Between the process and its client an answer is lost. */
const LOST_PROBABILITY = 0.2;
const REPEATS_MAX = 4;
/** After a fail-over the name leads elsewhere. */
const ELSEWHERE_PROBABILITY = 0.25;
/** The SDKs repeat what is answered so. */
const REPEATED_CODES = new Set(['TABLE_UNAVAILABLE', 'TABLE_THROTTLED', 'WRITE_CONTENDED']);
const WRITES: readonly TableOperationKind[] = ['put', 'insert', 'merge', 'remove', 'transact'];

/** What a client asks for: all of its tries are of one. */
interface Asked extends Pick<TableOperation, 'id' | 'kind' | 'key' | 'request'> {
  /** Once it is known: it is read before the first try. */
  condition?: WriteCondition | undefined;
  isConditionKnown: boolean;
}

/** A client of tables: makes, deletes and restores them, and writes to their rows, in any region. */
export async function runTableClient(options: TableClientOptions): Promise<void> {
  const { world, plan, index, windows } = options;
  const { draw, scheduler } = world;
  let id = index * IDS_PER_CLIENT;
  let last: TableOperation | undefined;
  for (const [fromMs, beforeMs] of windows) {
    await scheduler.sleep(fromMs - scheduler.nowMs());
    for (let count = 0; count < plan.operationsPerClient; count += 1) {
      id += 1;
      await scheduler.sleep(draw.integer(`table${id}.think`, [1, plan.thinkMsMax]));
      if (scheduler.nowMs() >= beforeMs) break;
      // At first there has to be a table.
      const isBack = last?.kind === 'delete' && draw.chance(`table${id}.back`, BACK_PROBABILITY);
      const drawn = count === 0 ? 'create' : draw.pick(`table${id}.kind`, KINDS);
      const key = isBack && last ? last.key : draw.pick(`table${id}.table`, TABLES);
      const kind = isBack ? 'restore' : drawn;
      const isNamed = WRITES.includes(kind) && draw.chance(`table${id}.named`, NAMED_PROBABILITY);
      const name = isNamed ? fingerprintOf([`op ${id}`]) : undefined;
      const asked = { id, kind, key, request: name, isConditionKnown: false };
      last = await untilAnswered(options, asked, beforeMs);
    }
  }
}

/** Does as an SDK does: what got no answer, or is told to come again, is asked for again, as the same request. */
async function untilAnswered(
  options: TableClientOptions,
  asked: Asked,
  beforeMs: number,
): Promise<TableOperation | undefined> {
  const { draw, scheduler, plan, situations } = options.world;
  const { id } = asked;
  let region = draw.pick(`table${id}.region`, plan.regions);
  let last = await request(options, asked, { region, nth: 0 });
  for (let nth = 1; nth <= REPEATS_MAX && isToRepeat(last); nth += 1) {
    await scheduler.sleep(draw.integer(`table${id}.${nth}.wait`, [5, 3_000]));
    if (scheduler.nowMs() >= beforeMs) break;
    if (draw.chance(`table${id}.${nth}.elsewhere`, ELSEWHERE_PROBABILITY)) {
      region = draw.pick(`table${id}.${nth}.region`, plan.regions);
    }
    situations.note('request-repeated');
    last = (await request(options, asked, { region, nth })) ?? last;
  }
  return last;
}

function isToRepeat(operation: TableOperation | undefined): boolean {
  if (operation?.request === undefined) return false;
  const { outcome } = operation;
  if (outcome.kind === 'refused') return REPEATED_CODES.has(outcome.code);
  return outcome.kind === 'unknown';
}

async function request(
  { world, history }: TableClientOptions,
  asked: Asked,
  { region, nth }: { readonly region: string; readonly nth: number },
): Promise<TableOperation | undefined> {
  const { draw, scheduler, trace } = world;
  const { id, kind, key } = asked;
  const apis = [...world.regionNamed(region).apis.values()];
  if (apis.length === 0) return undefined;
  const api = draw.pick(nth === 0 ? `table${id}.api` : `table${id}.${nth}.api`, apis);
  const { incarnation, tables } = api;
  if (tables === undefined) return undefined;
  const operation: TableOperation = {
    id,
    region,
    kind,
    key,
    startMs: scheduler.nowMs(),
    endMs: Number.POSITIVE_INFINITY,
    outcome: { kind: 'pending' },
    generation: undefined,
    isNew: false,
    request: asked.request,
    rows: [],
    answered: [],
  };
  history.push(operation);
  const performing = perform(world, tables, { operation, asked });
  performing.catch((error: unknown) => world.reportBug(incarnation, error));
  const outcome = await Promise.race([performing, broken(world, api)]);
  const isLost =
    asked.request !== undefined && draw.chance(`table${id}.${nth}.lost`, LOST_PROBABILITY);
  operation.outcome = isLost ? { kind: 'unknown' } : outcome;
  operation.endMs = scheduler.nowMs();
  const { generation = '' } = operation;
  const what = isLost ? `${outcome.kind} (lost)` : outcome.kind;
  trace.note(`table op ${id} ${region} ${kind} ${key} ${generation} ${what}`);
  return operation;
}

interface Performed {
  readonly operation: TableOperation;
  readonly asked: Asked;
}

async function perform(
  world: World,
  tables: OpenTables,
  performed: Performed,
): Promise<TableOutcome> {
  try {
    return await ask(world, tables, performed);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    if (error.code === 'TABLE_OUTCOME_UNKNOWN') return { kind: 'unknown' };
    return { kind: 'refused', code: error.code };
  }
}

async function ask(
  world: World,
  { catalogue, rowsOf }: OpenTables,
  performed: Performed,
): Promise<TableOutcome> {
  const { operation } = performed;
  const { kind, key } = operation;
  switch (kind) {
    case 'create': {
      const policy = TABLE_POLICIES[key as TableKey];
      const keepMs = key === 'orders' ? world.plan.tables?.ordersKeepMs : undefined;
      const own = keepMs === undefined ? {} : { archiveKeepMs: keepMs };
      const created = await catalogue.create(key, { policy, ...own });
      operation.generation = created.table.generation;
      operation.isNew = created.kind === 'created';
      return { kind: 'done' };
    }
    case 'delete': {
      const ended = await catalogue.remove(key);
      operation.generation = ended?.generation;
      return ended === undefined ? { kind: 'no-table' } : { kind: 'done' };
    }
    case 'restore': {
      operation.generation = (await catalogue.restore(key)).generation;
      world.situations.note('table-restored');
      return { kind: 'done' };
    }
    default: {
      const found = await catalogue.find(key);
      if (found === undefined) return { kind: 'no-table' };
      operation.generation = found.table.generation;
      const { table } = found;
      const outcome = await askRows(world, { ...performed, table, rows: rowsOf(table) });
      // Nothing is acknowledged into a table that was deleted meanwhile.
      return (await catalogue.confirm(found, operation.region)) ? outcome : { kind: 'no-table' };
    }
  }
}

interface AskedRows extends Performed {
  readonly table: TableGeneration;
  readonly rows: OpenTable;
}

async function askRows({ draw }: World, of: AskedRows): Promise<TableOutcome> {
  const { operation, asked, rows, table } = of;
  const { id, kind } = operation;
  const partitionKey = draw.pick(`table${id}.partition`, PARTITIONS);
  const key: OpenKey = { partitionKey, rowKey: draw.pick(`table${id}.row`, ROWS) };
  if (kind === 'get') {
    await rows.get(key);
    return { kind: 'done' };
  }
  if (!asked.isConditionKnown) {
    asked.condition = await conditionOf(draw, key, of);
    asked.isConditionKnown = true;
  }
  const operations = operationsOf(draw, key, asked);
  const tableId = rowsIdOf(table);
  operation.rows = operations.map((one) => encodeOpenId(tableId, one));
  const done = await rows.transact(operations, asked.request);
  if (done.kind === 'refused') return { kind: 'refused', code: done.outcome.kind };
  operation.answered = done.outcomes.map((outcome) => {
    // Of what was left as it was another request is the writer.
    if (outcome.kind === 'unchanged') return '';
    const version = 'record' in outcome ? outcome.record.version : undefined;
    return newestStamp(version ?? ('version' in outcome ? outcome.version : new Map())) ?? '';
  });
  return { kind: 'done' };
}

/** As a client asks for it: an insertion where there is none, else over what it has read, or over anything. */
async function conditionOf(
  draw: World['draw'],
  key: OpenKey,
  { operation: { id, kind }, rows }: AskedRows,
): Promise<WriteCondition | undefined> {
  if (kind === 'insert') return { kind: 'absent' };
  const asks = draw.pick(`table${id}.condition`, ['none', 'none', 'etag', 'present'] as const);
  if (asks === 'none') return undefined;
  if (asks === 'present') return { kind: 'present' };
  const record = await rows.get(key);
  return record && { kind: 'etag', etag: publicETag(record.version) };
}

function operationsOf(draw: World['draw'], key: OpenKey, asked: Asked): readonly OpenOperation[] {
  const { id, kind, condition } = asked;
  const { partitionKey } = key;
  if (kind !== 'transact') {
    const how = kind === 'merge' || kind === 'remove' ? kind : 'put';
    const values = kind === 'remove' ? {} : { values: valuesOf(draw, id, 0) };
    return [{ kind: how, ...key, ...values, condition }];
  }
  return ROWS.map((rowKey, place): OpenOperation => {
    const how = draw.pick(`table${id}.part${place}`, ['put', 'put', 'merge', 'remove'] as const);
    const own = { partitionKey, rowKey, ...(rowKey === key.rowKey ? { condition } : {}) };
    return how === 'remove'
      ? { kind: how, ...own }
      : { kind: how, ...own, values: valuesOf(draw, id, place) };
  });
}

/** Values that no other operation writes, under names that other rows need not have. */
function valuesOf(draw: World['draw'], id: number, place: number): ReadonlyMap<string, FieldValue> {
  const value: FieldValue = { type: 'String', value: `op ${id}.${place}` };
  const chosen = PROPERTIES.filter((name) => draw.chance(`table${id}.${place}.${name}`, 0.5));
  return new Map((chosen.length === 0 ? ['a'] : chosen).map((name) => [name, value]));
}

function broken({ scheduler }: World, { incarnation }: ApiProcess): Promise<TableOutcome> {
  return new Promise((resolve) => {
    const breakOff = (): void => resolve({ kind: 'unknown' });
    if (incarnation.signal.aborted) breakOff();
    incarnation.signal.addEventListener('abort', breakOff, { once: true });
    scheduler.schedule(PATIENCE_MS, breakOff);
  });
}
