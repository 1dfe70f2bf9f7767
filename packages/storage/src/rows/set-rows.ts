/**
 * A change set as rows of an outbox or of the archive, and a conflict as those of the journal: one, or one a fragment
 * where it is large (docs/adr/0042 and 0046).
 *
 *     <key>         the set in `payload0`, …; or the head of its first fragment there, and what is deflated in `part0`, …
 *     <key>~f01, …  the other fragments, in the same form
 *
 * All rows of a set are written, moved and deleted in one transaction, so where only some are there the store has lost
 * the others: then nobody takes what is left for the set.
 */
import {
  type AppError,
  type Cuttable,
  decodeStoredFragment,
  encodeFragmentHead,
  type FieldValue,
  type Fragment,
  fragmentCountOf,
  fragmentsOf,
  isFragment,
  joinFragments,
  KEY_LENGTH_MAX,
  type Properties,
  pagesOf,
  type RowOperation,
  type TableRow,
  type TableStore,
  TerminalError,
} from '@tandem/core';
import { fromPayloadColumns, toPayloadColumns } from './entity-row.ts';

type Columns = readonly [string, FieldValue][];

const COLUMN_BYTES_MAX = 64 * 1024;
const COLUMNS_MAX = 16;
/** A conflict is named by two stamps and its entity, which may be named like the end of a later row's key. */
const TWO_STAMPS = '!?[0-9a-f]{12}-[^~]*~[0-9a-f]{12}-[^~]*';
const FRAGMENT_KEY = new RegExp(`^(?!${TWO_STAMPS}~f\\d{2}$)(.*)~f(\\d{2})$`, 's');
/** Is what a first row's key may take, so that those of the later ones fit, set aside or not. */
export const FIRST_KEY_LENGTH_MAX = KEY_LENGTH_MAX - '!~f01'.length;
const SET_COLUMN = /^(?:payload|part)\d{1,2}$/;
/** Bounds the looks at a set that changes while it is read. */
const LOOKS_MAX = 3;
const PAGE_ROWS = 100;

/** Returns the columns of each row of a set, those of the first one first. */
export function toSetColumns(entry: Cuttable): readonly Columns[] {
  const fragments = fragmentsOf(entry);
  return fragments.length === 0
    ? [toPayloadColumns(entry.encoded)]
    : fragments.map(toFragmentColumns);
}

/** Returns the columns of a fragment as a row. */
export function toFragmentColumns(fragment: Fragment): Columns {
  const { deflated } = fragment;
  const columns: [string, FieldValue][] = toPayloadColumns(encodeFragmentHead(fragment));
  for (let start = 0; start < deflated.length; start += COLUMN_BYTES_MAX) {
    const value = new Uint8Array(deflated.subarray(start, start + COLUMN_BYTES_MAX));
    columns.push([`part${start / COLUMN_BYTES_MAX}`, { type: 'Binary', value }]);
  }
  return columns;
}

/** Returns what a row says as a fragment; undefined for a set in one piece. Throws `CHANGE_UNDECODABLE`. */
export function toFragment(properties: Properties): Fragment | undefined {
  const head = fromPayloadColumns(properties);
  if (!isFragment(head)) return undefined;
  const parts: Uint8Array[] = [];
  for (let index = 0; index < COLUMNS_MAX; index += 1) {
    const column = properties.get(`part${index}`);
    if (column?.type !== 'Binary') break;
    parts.push(column.value);
  }
  return decodeStoredFragment(head, Buffer.concat(parts));
}

/** Returns the keys of all rows of a set whose first one has this key. */
export function rowKeysOf(rowKey: string, encoded: Uint8Array): readonly string[] {
  return keysFrom(rowKey, 0, fragmentCountOf(encoded));
}

function keysFrom(rowKey: string, from: number, before: number): readonly string[] {
  return Array.from({ length: Math.max(0, before - from) }, (_, nth) => keyAt(rowKey, from + nth));
}

function keyAt(rowKey: string, index: number): string {
  return index === 0 ? rowKey : `${rowKey}~f${String(index).padStart(2, '0')}`;
}

/** Returns the key of the first row of the set that a later row is of; undefined for a first row. */
export function firstKeyOf(rowKey: string): string | undefined {
  return FRAGMENT_KEY.exec(rowKey)?.[1];
}

function indexIn(rowKey: string): number {
  return Number(FRAGMENT_KEY.exec(rowKey)?.[2] ?? 0);
}

/** Returns what writes the rows after the first one, and deletes those of `countBefore` that are no more. */
export function toLaterRows(
  rowKey: string,
  columns: readonly Columns[],
  countBefore = 1,
): readonly RowOperation[] {
  const written = columns.slice(1).map((own, nth): RowOperation => {
    return { kind: 'upsert', rowKey: keyAt(rowKey, nth + 1), properties: new Map(own) };
  });
  return [...written, ...toDeletions(keysFrom(rowKey, columns.length, countBefore))];
}

export function toDeletions(rowKeys: readonly string[]): readonly RowOperation[] {
  return rowKeys.map((rowKey) => ({ kind: 'delete', rowKey }));
}

export type JoinedRows =
  | {
      readonly kind: 'set';
      /** Is the first of its rows. */
      readonly row: TableRow;
      readonly encoded: Uint8Array;
    }
  /** Names the row that makes the set one that nobody can read. */
  | { readonly kind: 'damaged'; readonly row: TableRow; readonly error: AppError };

interface Place {
  readonly store: Pick<TableStore, 'get' | 'query'>;
  readonly table: string;
}

/**
 * Joins the rows of a page, in their order, into sets: what of a set lies in another page is asked for, and a row
 * without the others of its set is named.
 */
export async function joinRows(
  rows: readonly TableRow[],
  place: Place,
): Promise<readonly JoinedRows[]> {
  const known = new Map(rows.map((row) => [nameOf(row), row]));
  const first = new Map<string, TableRow | undefined>();
  const joined: JoinedRows[] = [];
  for (const row of rows) {
    const firstKey = firstKeyOf(row.rowKey);
    if (firstKey === undefined) {
      const set = await joinSet(row, known, place);
      if (set !== undefined) joined.push(set);
      continue;
    }
    const named = nameOf({ ...row, rowKey: firstKey });
    if (known.has(named)) continue;
    if (!first.has(named)) first.set(named, await getAt(place, row, firstKey));
    const head = first.get(named);
    if (head !== undefined && countIn(head) > indexIn(row.rowKey)) continue;
    if ((await getAt(place, row, row.rowKey)) === undefined) continue;
    joined.push({ kind: 'damaged', row, error: incomplete(firstKey, 'its first row is missing') });
  }
  return joined;
}

/** Reads the set whose first row this is; undefined for one that is gone meanwhile. */
export async function joinSet(
  row: TableRow,
  known: ReadonlyMap<string, TableRow>,
  place: Place,
): Promise<JoinedRows | undefined> {
  let head = row;
  for (let looks = 1; ; looks += 1) {
    const set = await readSet(head, looks === 1 ? known : new Map(), place);
    if (set.kind === 'set' || countIn(head) < 2) return set;
    // It may have been deleted, or written anew, while its rows were read one after the other.
    const now = await getAt(place, head, head.rowKey);
    if (now === undefined) return undefined;
    if (now.etag === head.etag || looks === LOOKS_MAX) return set;
    head = now;
  }
}

async function readSet(
  row: TableRow,
  known: ReadonlyMap<string, TableRow>,
  place: Place,
): Promise<JoinedRows> {
  try {
    const head = toFragment(row.properties);
    if (head === undefined)
      return { kind: 'set', row, encoded: fromPayloadColumns(row.properties) };
    const keys = keysFrom(row.rowKey, 1, head.count);
    const isKnown = keys.every((rowKey) => known.has(nameOf({ ...row, rowKey })));
    const others = isKnown ? known : await readLater(row, place);
    const fragments = [head];
    for (const [nth, rowKey] of keys.entries()) {
      const other = others.get(nameOf({ ...row, rowKey }));
      const fragment = other && toFragment(other.properties);
      const what = `row ${nth + 2} of ${head.count} is missing`;
      if (fragment === undefined) throw incomplete(row.rowKey, what);
      fragments.push(fragment);
    }
    return { kind: 'set', row, encoded: joinFragments(fragments) };
  } catch (error) {
    if (error instanceof TerminalError) return { kind: 'damaged', row, error };
    throw error;
  }
}

/** Returns those of the rows of the set that this one is of that are there. */
export async function readRowsOf(row: TableRow, place: Place): Promise<readonly TableRow[]> {
  const rowKey = firstKeyOf(row.rowKey) ?? row.rowKey;
  const first = rowKey === row.rowKey ? row : await getAt(place, row, rowKey);
  const later = await readLater({ ...row, rowKey }, place);
  return [...(first === undefined ? [] : [first]), ...later.values()];
}

async function readLater(
  { partitionKey, rowKey }: TableRow,
  { store, table }: Place,
): Promise<ReadonlyMap<string, TableRow>> {
  const range = {
    table,
    partitions: partitionKey,
    rowsFrom: `${rowKey}~f`,
    rowsBefore: `${rowKey}~f~`,
    limit: PAGE_ROWS,
  };
  const found = new Map<string, TableRow>();
  for await (const { rows } of pagesOf((from) => store.query({ ...range, ...from }))) {
    for (const row of rows) found.set(nameOf(row), row);
  }
  return found;
}

/** Counts the bytes of a set that lie in this row of it. */
export function storedBytesIn({ properties }: Pick<TableRow, 'properties'>): number {
  let bytes = 0;
  for (const [name, { type, value }] of properties) {
    if (type === 'Binary' && SET_COLUMN.test(name)) bytes += value.length;
  }
  return bytes;
}

/** Counts the rows of the set whose first row this is, as that says. */
export function countIn({ properties }: Pick<TableRow, 'properties'>): number {
  try {
    return toFragment(properties)?.count ?? 1;
  } catch (error) {
    if (error instanceof TerminalError) return 1;
    throw error;
  }
}

function getAt(
  { store, table }: Place,
  { partitionKey }: TableRow,
  rowKey: string,
): Promise<TableRow | undefined> {
  return store.get(table, partitionKey, rowKey);
}

/** Partition and row keys hold no character below the space. */
function nameOf({ partitionKey, rowKey }: Pick<TableRow, 'partitionKey' | 'rowKey'>): string {
  return `${partitionKey}\n${rowKey}`;
}

function incomplete(rowKey: string, what: string): TerminalError {
  return new TerminalError('ROW_MALFORMED', `What lies in row ${rowKey} is not whole: ${what}.`);
}
