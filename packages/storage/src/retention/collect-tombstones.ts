import {
  bucketNames,
  type Clock,
  catalogKind,
  chunk,
  type EntityKind,
  type HorizonRecord,
  horizonOf,
  isCollectable,
  keepsOf,
  pagesOf,
  ROWS_PER_TRANSACTION_MAX,
  type StoredRow,
  type TableRow,
  type TableStore,
  tableIdOf,
  tombstoneHorizonMs,
} from '@tandem/core';
import { readTables, type TableCatalogueOptions } from '../catalogue/table-catalogue.ts';
import { type DamagedEntityRow, judgeRow } from '../rows/entity-row.ts';
import { ENTITY_ROWS_FROM, SYSTEM_ROWS_FROM } from '../rows/row-key.ts';
import { settleMarks } from '../write-path/prepared-set.ts';
import { createHorizonRecord } from './horizon-rows.ts';

export interface CollectOptions {
  readonly store: TableStore;
  readonly kind: EntityKind;
  readonly bucketCount: number;
  /** From `tombstoneHorizonMs`: what was stamped before it is collected. */
  readonly horizonMs: number;
  /** In place of it, by table id, for those that `takeTombstoneTurn` has recorded. */
  readonly tables?: ReadonlyMap<string, number> | undefined;
  /** Ids of tables of which no tombstone goes, since it may hide an old row; of none by default. */
  readonly hiding?: ReadonlySet<string> | undefined;
  /** Says of which entities all goes, alive or not, since their table is gone for good; there are none by default. */
  readonly purge?: Purge | undefined;
  readonly signal?: AbortSignal;
  /** Told of each row that is none of an entity, or that nobody can read. */
  readonly onDamaged?: (row: DamagedEntityRow) => void;
}

interface Purge {
  readonly isPurged: (entityId: string) => boolean;
  /** Told of how many rows went. */
  readonly onPurged: (rows: number) => void;
}

const PAGE_ROWS = 500;

/**
 * Deletes tombstones older than the horizon and rows of tables that are gone, each only if nobody wrote to it
 * meanwhile; returns how many tombstones went. May be cut off anywhere and repeated: what comes late goes the next time.
 */
export async function collectTombstones(options: CollectOptions): Promise<number> {
  const { store, kind } = options;
  // That there was a record of a table counts for ever: docs/adr/0033.
  if (kind.name === catalogKind.name) return 0;
  const isStopped = (): boolean => options.signal?.aborted === true;
  const horizons = { kindMs: options.horizonMs, tables: options.tables ?? new Map() };
  let collected = 0;
  for (const bucket of bucketNames(options.bucketCount)) {
    if (isStopped()) return collected;
    const keys = { rowsFrom: ENTITY_ROWS_FROM, rowsBefore: SYSTEM_ROWS_FROM };
    const range = { table: kind.name, partitions: bucket, ...keys, limit: PAGE_ROWS };
    for await (const page of pagesOf((from) => store.query({ ...range, ...from }))) {
      const doomed: TableRow[] = [];
      const purged: TableRow[] = [];
      const told: StoredRow[] = [];
      for (const row of page.rows) {
        const judged = judgeRow(row, options);
        if (judged.kind === 'damaged') {
          options.onDamaged?.(judged);
          continue;
        }
        const { entityId, state } = judged.row;
        const isPurged = options.purge?.isPurged(entityId) === true;
        const horizonMs = horizonOf(horizons, entityId) ?? options.horizonMs;
        if (!isPurged && (isHiding(entityId, options) || !isCollectable(state, horizonMs)))
          continue;
        (isPurged ? purged : doomed).push(row);
        told.push(judged.row);
      }
      await settleMarks(told, { store, kind, bucket });
      for (const row of doomed) {
        const outcome = await store.commit({
          table: kind.name,
          partitionKey: bucket,
          operations: [{ kind: 'delete', rowKey: row.rowKey, etag: row.etag }],
        });
        if (outcome.kind === 'committed') collected += 1;
      }
      for (const part of chunk(purged, { countMax: ROWS_PER_TRANSACTION_MAX })) {
        if (isStopped()) return collected;
        options.purge?.onPurged(await removeRows(options, bucket, part));
      }
      if (isStopped()) return collected;
    }
  }
  return collected;
}

function isHiding(entityId: string, { kind, hiding }: CollectOptions): boolean {
  return kind.form === 'open' && hiding?.has(tableIdOf(entityId)) === true;
}

/** Returns how many went. A row that somebody has written to since it was read holds up the others until the next time. */
async function removeRows(
  { store, kind }: CollectOptions,
  partitionKey: string,
  rows: readonly TableRow[],
): Promise<number> {
  const operations = rows.map(({ rowKey, etag }) => ({ kind: 'delete' as const, rowKey, etag }));
  const outcome = await store.commit({ table: kind.name, partitionKey, operations });
  return outcome.kind === 'committed' ? rows.length : 0;
}

// Tables of clients whose tombstones are kept for a time of their own. What was collected of each is recorded before
// anything of it goes, and by that alone, not by the age, it is judged what may come too late: docs/adr/0043.

/** The rows lie in the table of the rows. */
export function createTombstoneHorizons({
  store,
  entityKind,
}: {
  readonly store: TableStore;
  readonly entityKind: string;
}): HorizonRecord {
  return createHorizonRecord({ store, table: entityKind, entityKind });
}

export interface TombstoneTurnOptions extends Pick<TableCatalogueOptions, 'onDamaged'> {
  readonly store: TableStore;
  readonly entityKind: string;
  readonly clock: Pick<Clock, 'nowMs' | 'sleep'>;
  /** Are the times of the newest watermark of every peer that this region has passed. */
  readonly passedMs: readonly (number | undefined)[];
  /** What is collected of tables without an age of their own, in milliseconds. */
  readonly horizonMs: number;
  readonly driftMsMax: number;
  readonly signal?: AbortSignal | undefined;
}

/** Longer than anybody takes from looking at the horizons to the write that follows from them. */
const NOTICE_MS = 30_000;

/**
 * Records until when the tombstones of tables with an age of their own are collected now, and resolves with it once
 * whoever applies changes knows. Undefined where it was cut off.
 */
export async function takeTombstoneTurn(
  options: TombstoneTurnOptions,
): Promise<ReadonlyMap<string, number> | undefined> {
  const { clock, entityKind, signal, horizonMs } = options;
  const horizons = createTombstoneHorizons(options);
  const known = await horizons.read();
  let isRaised = false;
  const keeps = keepsOf(await readTables(options), entityKind);
  for (const [tableId, { tombstoneAgeMs }] of keeps) {
    if (tombstoneAgeMs === undefined) continue;
    const ownMs = tombstoneHorizonMs({
      nowMs: clock.nowMs(),
      ageMs: tombstoneAgeMs,
      passedMs: options.passedMs,
      driftMsMax: options.driftMsMax,
    });
    if (ownMs === undefined) return undefined;
    const recordedMs = known.tables.get(tableId);
    // Until now it was collected as all others are.
    const nextMs = Math.max(ownMs, recordedMs ?? horizonMs);
    if (nextMs === recordedMs) continue;
    await horizons.raise(nextMs, tableId);
    isRaised = true;
  }
  if (isRaised) await clock.sleep(NOTICE_MS, signal);
  if (signal?.aborted === true) return undefined;
  return (await horizons.read()).tables;
}
