import {
  CATALOG_BUCKET_COUNT,
  type Clock,
  catalogKind,
  type EntityKind,
  formatGeneration,
  type HybridClock,
  type OutboxEntry,
  openTableId,
  otherRowsKind,
  rowsKind,
  type TableGeneration,
} from '@tandem/core';
import {
  createOpenTable,
  createReplicatedTable,
  createStateTable,
  createTableArchive,
  createTableCatalogue,
  type OpenTable,
  type TableCatalogue,
} from '@tandem/storage';
import type { ProcessContext } from '../processes/process-context.ts';
import type { RunPlan } from '../run/run-plan.ts';
import { gadgetKind } from '../world/gadget-kind.ts';

const ROWS_BUCKET_COUNT = 2;
const OTHER_ROWS_BUCKET_COUNT = 3;

/** Every entity kind of a run. */
export function kindsOf({
  tables,
  migration,
}: Pick<RunPlan, 'tables' | 'migration'>): readonly EntityKind[] {
  return tables === undefined && migration === undefined
    ? [gadgetKind]
    : [gadgetKind, catalogKind, rowsKind, ...(migration?.movesOn === true ? [otherRowsKind] : [])];
}

export function bucketCountOf(entityKind: string, plan: Pick<RunPlan, 'bucketCount'>): number {
  if (entityKind === catalogKind.name) return CATALOG_BUCKET_COUNT;
  if (entityKind === otherRowsKind.name) return OTHER_ROWS_BUCKET_COUNT;
  return entityKind === rowsKind.name ? ROWS_BUCKET_COUNT : plan.bucketCount;
}

/** The tables of clients as a process has them open. */
export interface OpenTables {
  readonly catalogue: TableCatalogue;
  rowsOf(table: TableGeneration): OpenTable;
}

export interface OpenTablesOptions {
  readonly context: ProcessContext;
  readonly clock: Clock;
  /** The process's own, by which all of its tables stamp. */
  readonly hybridClock: HybridClock;
  readonly wireVersion: number;
  readonly keepMs: number;
  readonly onCommitted: (entry: OutboxEntry) => void;
}

export function openTables(options: OpenTablesOptions): OpenTables {
  const { context, clock, keepMs } = options;
  const { randomness, peers } = context;
  const store = context.store('tables');
  const { hybridClock, wireVersion, onCommitted } = options;
  const archive = createTableArchive({ store });
  const { largeSets } = context.world.plan;
  const written = { wireVersion, largeSets, peers, onCommitted };
  const parts = { store, archive, hybridClock, clock, randomness, ...written };
  const rows = { ...parts, kind: rowsKind, bucketCount: ROWS_BUCKET_COUNT };
  const states = createStateTable(rows);
  const catalog = { ...parts, kind: catalogKind, bucketCount: CATALOG_BUCKET_COUNT };
  return {
    catalogue: createTableCatalogue({
      store,
      table: createReplicatedTable(catalog),
      clock,
      keepMs: () => keepMs,
    }),
    rowsOf: ({ key, rowsOf, policy }) =>
      createOpenTable({
        ...rows,
        states,
        tableId: openTableId(key, formatGeneration(rowsOf)),
        policy,
      }),
  };
}
