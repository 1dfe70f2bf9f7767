import { AppError, type FieldValue, type OpenKey } from '@tandem/core';
import type { OpenOperation, OpenTable } from '@tandem/storage';
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
      last = await request(options, { id, kind: isBack ? 'restore' : drawn, key });
    }
  }
}

async function request(
  { world, history }: TableClientOptions,
  { id, kind, key }: Pick<TableOperation, 'id' | 'kind' | 'key'>,
): Promise<TableOperation | undefined> {
  const { draw, scheduler, trace, plan } = world;
  const region = draw.pick(`table${id}.region`, plan.regions);
  const apis = [...world.regionNamed(region).apis.values()];
  if (apis.length === 0) return undefined;
  const api = draw.pick(`table${id}.api`, apis);
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
  };
  history.push(operation);
  const performing = perform(world, tables, operation);
  performing.catch((error: unknown) => world.reportBug(incarnation, error));
  operation.outcome = await Promise.race([performing, broken(world, api)]);
  operation.endMs = scheduler.nowMs();
  const { generation = '', outcome } = operation;
  trace.note(`table op ${id} ${region} ${kind} ${key} ${generation} ${outcome.kind}`);
  return operation;
}

async function perform(
  world: World,
  tables: OpenTables,
  operation: TableOperation,
): Promise<TableOutcome> {
  try {
    return await ask(world, tables, operation);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    if (error.code === 'TABLE_OUTCOME_UNKNOWN') return { kind: 'unknown' };
    return { kind: 'refused', code: error.code };
  }
}

async function ask(
  world: World,
  { catalogue, rowsOf }: OpenTables,
  operation: TableOperation,
): Promise<TableOutcome> {
  const { kind, key } = operation;
  switch (kind) {
    case 'create': {
      const policy = TABLE_POLICIES[key as TableKey];
      const created = await catalogue.create(key, { policy });
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
      const outcome = await askRows(world, rowsOf(found.table), operation);
      // Nothing is acknowledged into a table that was deleted meanwhile.
      return (await catalogue.confirm(found)) ? outcome : { kind: 'no-table' };
    }
  }
}

async function askRows(
  { draw }: World,
  rows: OpenTable,
  { id, kind }: TableOperation,
): Promise<TableOutcome> {
  const partitionKey = draw.pick(`table${id}.partition`, PARTITIONS);
  const key: OpenKey = { partitionKey, rowKey: draw.pick(`table${id}.row`, ROWS) };
  const values = valuesOf(draw, id, 0);
  switch (kind) {
    case 'get':
      await rows.get(key);
      return { kind: 'done' };
    case 'insert':
      return toOutcome(await rows.insert(key, values));
    case 'merge':
      return toOutcome(await rows.merge(key, values));
    case 'remove':
      return toOutcome(await rows.remove(key));
    case 'transact': {
      const parts = ROWS.map((rowKey, place): OpenOperation => {
        const how = draw.pick(`table${id}.part${place}`, [
          'put',
          'put',
          'merge',
          'remove',
        ] as const);
        const own = { partitionKey, rowKey };
        return how === 'remove'
          ? { kind: how, ...own }
          : { kind: how, ...own, values: valuesOf(draw, id, place) };
      });
      const done = await rows.transact(parts);
      return done.kind === 'done' ? { kind: 'done' } : { kind: 'refused', code: done.outcome.kind };
    }
    default:
      return toOutcome(await rows.put(key, values));
  }
}

function toOutcome({ kind }: { readonly kind: string }): TableOutcome {
  const isDone = ['created', 'replaced', 'deleted', 'unchanged'].includes(kind);
  return isDone ? { kind: 'done' } : { kind: 'refused', code: kind };
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
