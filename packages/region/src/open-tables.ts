// The tables of clients as a region serves them: names from the catalogue, rows of one open kind for all of them, or
// of its twin for those that are not replicated. Docs/adr/0033 and 0034.
import {
  encodeOpenId,
  formatGeneration,
  localRowsKind,
  type OpenKey,
  type OpenKind,
  openTableId,
  rowsKind,
  SOURCE_UNREADABLE,
  type TableGeneration,
  TerminalError,
  TransientError,
  tableKeyOf,
  type VersionVector,
} from '@tandem/core';
import {
  createOpenTable,
  type FoundTable,
  type OpenTable,
  type OpenTableOptions,
  type TableCatalogue,
} from '@tandem/storage';
import type { Acknowledgement, AcknowledgementAsked } from './consistency/acknowledgements.ts';
import type { Consistency } from './consistency/consistency.ts';
import type { ReceiptAnswer, WriteReceipt } from './consistency/receipts.ts';
import type { Reach, Wait } from './consistency/version-gate.ts';

/**
 * One table of clients in one region, and what callers may ask of the rows that they wrote and saw. Every call throws
 * `TABLE_NOT_FOUND` where there is no such table; a write does so too where it was deleted meanwhile.
 */
export interface RegionOpenTable extends OpenTable {
  /** Says whether this region shows at least `least` of the row, within the wait; see `VersionGate`. */
  reach(key: OpenKey, least: VersionVector, wait: Wait): Promise<Reach>;
  /** Resolves to what a write of this process, with this version, reaches in the time given. */
  acknowledgementOf(version: VersionVector, asked: AcknowledgementAsked): Promise<Acknowledgement>;
  /** Makes the receipt of a write that was acknowledged just now. */
  receiptFor(key: OpenKey, version: VersionVector): Promise<string>;
  /** Returns what a receipt says; undefined for what is no receipt of this row. */
  readReceipt(key: OpenKey, receipt: string): Promise<WriteReceipt | undefined>;
  /** Tells where a write has been applied, as `Receipts` does. */
  whereApplied(key: OpenKey, receipt: WriteReceipt, wait: Wait): Promise<ReceiptAnswer>;
}

/** A table as it was found: deleted and created again it is another, and this one takes no more writes. */
export interface FoundRegionTable {
  readonly table: TableGeneration;
  readonly rows: RegionOpenTable;
  /** Whose rows they are, as far as replication goes. */
  readonly kind: OpenKind;
  /** Returns the id under which replication knows the row. */
  idOf(key: OpenKey): string;
}

export interface OpenTables {
  /** Returns the living table of that name, in any case; undefined where there is none. */
  find(name: string): Promise<FoundRegionTable | undefined>;
  /** Returns the same as the region has it at this moment, whatever the process remembers. */
  findNow(name: string): Promise<FoundRegionTable | undefined>;
  /** Returns the table that the name stands for at each call. Throws `TABLE_REQUEST_INVALID` for no name. */
  open(name: string): RegionOpenTable;
}

/** All rows of one open kind, of whichever table. */
export interface OpenSpace {
  readonly rows: Omit<OpenTableOptions, 'tableId' | 'policy'>;
  readonly consistency: Consistency;
}

export interface OpenTablesOptions {
  readonly catalogue: Pick<TableCatalogue, 'find' | 'findNow' | 'confirm'>;
  /** By where the rows of a table go. */
  readonly spaces: Readonly<Record<TableGeneration['replicate'], OpenSpace>>;
}

/** By where the rows of a table go. */
export const SPACE_KINDS: Readonly<Record<TableGeneration['replicate'], OpenKind>> = {
  all: rowsKind,
  none: localRowsKind,
};

export function createOpenTables({ catalogue, spaces }: OpenTablesOptions): OpenTables {
  const bind = (found: FoundTable | undefined): FoundRegionTable | undefined =>
    found && bindTable(found, { catalogue, space: spaces[found.table.replicate] });
  const find = async (name: string): Promise<FoundRegionTable | undefined> =>
    bind(await catalogue.find(name));
  return {
    find,
    findNow: async (name) => bind(await catalogue.findNow(name)),
    open(name) {
      tableKeyOf(name);
      return openByName(async () => {
        const found = await find(name);
        if (found === undefined) throw noTable(name);
        return found.rows;
      });
    },
  };
}

export function noTable(name: string): TerminalError {
  return new TerminalError(
    'TABLE_NOT_FOUND',
    `There is no table ${name} in this region. Create it in the catalogue, in any region; the others get it within seconds.`,
    { details: { table: name } },
  );
}

interface BoundParts {
  readonly catalogue: Pick<TableCatalogue, 'confirm'>;
  readonly space: OpenSpace;
}

const RETRY_AFTER_MS = 1_000;

/** Of a table whose rows lie elsewhere nothing is answered here: it would seem to be empty. */
function errorUnserved({ name, source }: TableGeneration): TransientError {
  const state = source === undefined || source === SOURCE_UNREADABLE ? 'unknown' : source.state;
  return new TransientError(
    'TABLE_UNAVAILABLE',
    `Table ${name} is taken over from another account, and this process cannot serve its state, ${state}. Try again.`,
    { retryAfterMs: RETRY_AFTER_MS, details: { table: name, state } },
  );
}

function isServed({ source }: TableGeneration): boolean {
  return source === undefined || (source !== SOURCE_UNREADABLE && source.state === 'done');
}

function bindTable(found: FoundTable, { catalogue, space }: BoundParts): FoundRegionTable {
  const { table } = found;
  if (!isServed(table)) throw errorUnserved(table);
  const { consistency } = space;
  const tableId = openTableId(table.key, formatGeneration(table.rowsOf));
  const rows = createOpenTable({ ...space.rows, tableId, policy: table.policy });
  const idOf = (key: OpenKey): string => encodeOpenId(tableId, key);
  /** Nothing is acknowledged into a table that was deleted meanwhile. */
  const confirmed = async <O>(writing: Promise<O>): Promise<O> => {
    const outcome = await writing;
    if (await catalogue.confirm(found)) return outcome;
    throw noTable(table.name);
  };
  return {
    table,
    kind: SPACE_KINDS[table.replicate],
    idOf,
    rows: {
      get: (key) => rows.get(key),
      query: (query) => rows.query(query),
      insert: (...write) => confirmed(rows.insert(...write)),
      put: (...write) => confirmed(rows.put(...write)),
      merge: (...write) => confirmed(rows.merge(...write)),
      remove: (...write) => confirmed(rows.remove(...write)),
      transact: (...write) => confirmed(rows.transact(...write)),
      reach: async (key, least, wait) => consistency.reach(idOf(key), least, wait),
      acknowledgementOf: (version, asked) => consistency.acknowledgementOf(version, asked),
      receiptFor: async (key, version) => consistency.receiptFor(idOf(key), version),
      readReceipt: async (key, receipt) => consistency.readReceipt(idOf(key), receipt),
      whereApplied: async (key, receipt, wait) =>
        consistency.whereApplied(idOf(key), receipt, wait),
    },
  };
}

function openByName(find: () => Promise<RegionOpenTable>): RegionOpenTable {
  return {
    get: async (key) => (await find()).get(key),
    query: async (query) => (await find()).query(query),
    insert: async (...write) => (await find()).insert(...write),
    put: async (...write) => (await find()).put(...write),
    merge: async (...write) => (await find()).merge(...write),
    remove: async (...write) => (await find()).remove(...write),
    transact: async (...write) => (await find()).transact(...write),
    reach: async (...asked) => (await find()).reach(...asked),
    acknowledgementOf: async (...asked) => (await find()).acknowledgementOf(...asked),
    receiptFor: async (...asked) => (await find()).receiptFor(...asked),
    readReceipt: async (...asked) => (await find()).readReceipt(...asked),
    whereApplied: async (...asked) => (await find()).whereApplied(...asked),
  };
}
