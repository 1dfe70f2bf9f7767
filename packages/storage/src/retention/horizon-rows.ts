import {
  AppError,
  type HorizonRecord,
  type Horizons,
  latestHorizon,
  NO_HORIZONS,
  pagesOf,
  type TableRow,
  type TableStore,
  TerminalError,
  untilUncontended,
} from '@tandem/core';
import { createStatusRow, timeColumn } from '../status/status-row.ts';

/** Begins like no partition of a kind. The rows lie in the table that they tell of: it is not lost without them. */
export const HORIZON_PARTITION = '~horizon';

const CONTENTION = { attemptsMax: 10 };
const PAGE_ROWS = 1_000;

const WHOLE_FROM = timeColumn();

interface HorizonRowsOptions {
  readonly store: TableStore;
  readonly table: string;
}

/** Keeps how far back a table goes that is trimmed, for each entity kind, and for each table of clients of its own. */
export interface HorizonRows {
  /** Returns the latest of the kind, or that of one table of clients; undefined where nothing was ever trimmed. */
  read(entityKind: string, tableId?: string): Promise<number | undefined>;
  /** Throws `ARCHIVE_DAMAGED` where nobody can read one of the kind, or of those tables of it: of all by default. */
  readAll(entityKind: string, tableIds?: ReadonlySet<string>): Promise<Horizons>;
  /**
   * Never lowers it; the first of a table is no earlier than that of the kind. Throws `WRITE_CONTENDED`, and
   * `ARCHIVE_DAMAGED` where nobody can read it.
   */
  raise(entityKind: string, horizonMs: number, tableId?: string): Promise<void>;
}

/**
 *     ~horizon   <kind>              wholeFrom   of the kind
 *     ~horizon   <kind>~<table id>   wholeFrom   of a table of clients, in place of that
 */
export function createHorizonRows({ store, table }: HorizonRowsOptions): HorizonRows {
  const damaged = (rowKey: string): TerminalError => unreadable(table, rowKey);
  const rowOf = (rowKey: string) =>
    createStatusRow({
      store,
      table,
      partitionKey: HORIZON_PARTITION,
      rowKey,
      columns: { wholeFrom: WHOLE_FROM },
    });
  const readAll = (entityKind: string, tableIds?: ReadonlySet<string>) =>
    readHorizons({ store, table }, { entityKind, tableIds }, damaged);
  const readOf = (entityKind: string, tableId: string | undefined) =>
    readAll(entityKind, tableId === undefined ? undefined : new Set([tableId]));
  return {
    readAll,
    read: async (entityKind, tableId) => latestHorizon(await readOf(entityKind, tableId), tableId),
    async raise(entityKind, horizonMs, tableId) {
      const rowKey = tableId === undefined ? entityKind : `${entityKind}~${tableId}`;
      const row = rowOf(rowKey);
      await untilUncontended(async () => {
        const seen = await row.look();
        if (seen.kind === 'damaged') throw damaged(rowKey);
        if (seen.kind === 'value' && seen.value.wholeFrom >= horizonMs) return undefined;
        // What was of the kind until now is gone for the table too.
        const before =
          seen.kind === 'none' && tableId !== undefined
            ? await readOf(entityKind, tableId)
            : undefined;
        const raised = Math.max(horizonMs, before?.kindMs ?? horizonMs);
        const isWritten = await row.write({ wholeFrom: raised }, seen);
        return isWritten ? undefined : { contended: `The row ${HORIZON_PARTITION}/${rowKey}` };
      }, CONTENTION);
    },
  };
}

function unreadable(table: string, rowKey: string): TerminalError {
  return new TerminalError(
    'ARCHIVE_DAMAGED',
    `The row ${HORIZON_PARTITION}/${rowKey} of ${table} cannot be read, which says how far back it goes. Write a ` +
      'time into its column wholeFrom from which on nothing was trimmed, such as 2026-11-22T10:00:00.000Z.',
  );
}

/** Throws `ARCHIVE_DAMAGED`, with what to do, for a row of a horizon that nobody can read. */
export function checkHorizonRow(
  table: string,
  { rowKey, properties }: Pick<TableRow, 'rowKey' | 'properties'>,
): void {
  if (WHOLE_FROM.read(properties.get('wholeFrom')) === undefined) throw unreadable(table, rowKey);
}

/** Keeps the horizons of one entity kind; a region that is about to be filled has no table, and so none. */
export function createHorizonRecord({
  entityKind,
  ...options
}: HorizonRowsOptions & { readonly entityKind: string }): HorizonRecord {
  const rows = createHorizonRows(options);
  return {
    async read(tableIds) {
      try {
        return await rows.readAll(entityKind, tableIds);
      } catch (error) {
        if (error instanceof AppError && error.code === 'TABLE_MISSING') return NO_HORIZONS;
        throw error;
      }
    },
    raise: (horizonMs, tableId) => rows.raise(entityKind, horizonMs, tableId),
  };
}

/** Throws what `damaged` says of a row that nobody can read, unless it is of a table that nobody asks for. */
async function readHorizons(
  { store, table }: HorizonRowsOptions,
  {
    entityKind,
    tableIds,
  }: { readonly entityKind: string; readonly tableIds: ReadonlySet<string> | undefined },
  damaged: (rowKey: string) => TerminalError,
): Promise<Horizons> {
  const ofTables = `${entityKind}~`;
  const range = {
    table,
    partitions: HORIZON_PARTITION,
    rowsFrom: entityKind,
    rowsBefore: `${ofTables}\uffff`,
    limit: PAGE_ROWS,
  };
  let kindMs: number | undefined;
  const tables = new Map<string, number>();
  for await (const { rows } of pagesOf((from) => store.query({ ...range, ...from }))) {
    for (const { rowKey, properties } of rows) {
      // Another kind may begin with the name of this one.
      if (rowKey !== entityKind && !rowKey.startsWith(ofTables)) continue;
      const tableId = rowKey === entityKind ? undefined : rowKey.slice(ofTables.length);
      if (tableId !== undefined && tableIds?.has(tableId) === false) continue;
      const timeMs = WHOLE_FROM.read(properties.get('wholeFrom'));
      if (timeMs === undefined) throw damaged(rowKey);
      if (tableId === undefined) kindMs = timeMs;
      else tables.set(tableId, timeMs);
    }
  }
  return { kindMs, tables };
}
