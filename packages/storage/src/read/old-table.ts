/**
 * A plain table that nobody writes any more, as a table of ours shows its rows: each adopted, under the id that it has here.
 * Since it does not change, it does not matter whether it is read before or after what is here. See docs/adr/0040.
 */
import {
  adoptedStamp,
  adoptedState,
  type Bound,
  type Comparison,
  canonicalValue,
  comparisonsOf,
  type EntityState,
  encodeOpenId,
  type IdRange,
  isAskable,
  type OpenKey,
  type Predicate,
  printPredicate,
  type RowRange,
  type TableRow,
  type TableStore,
  TerminalError,
  timestampOfTag,
} from '@tandem/core';

export interface OldTableOptions {
  readonly store: TableStore;
  /** Is its own name. */
  readonly table: string;
  /** What the ids of its rows begin with here. */
  readonly tableId: string;
  /** Told of each row that a page leaves out, since no region can adopt it; nobody is by default. */
  readonly onRefused?: ((row: RefusedRow) => void) | undefined;
}

export interface RefusedRow extends OpenKey {
  readonly why: string;
}

export interface AdoptedRow extends OpenKey {
  readonly entityId: string;
  readonly state: EntityState;
}

interface OldPage {
  readonly rows: readonly AdoptedRow[];
  /** Is what of the range is left to be asked for; undefined at its end. */
  readonly rest: IdRange | undefined;
  /** The store's own, where the page gave nothing and is not the last: good for the same range alone. */
  readonly continuation: string | undefined;
}

interface OldPageAsked {
  readonly range: IdRange;
  readonly limit: number;
  readonly continuation: string | undefined;
  /** Rows that do not match may be left out: of the old side alone, since one of ours hides an old one whatever it holds. */
  readonly where: Predicate | undefined;
}

/** Throws what its store throws. A row that no region can adopt is left out of pages, and takes no other with it. */
export interface OldTable {
  /** Throws `ROW_MALFORMED` for such a row, naming it. */
  get(key: OpenKey): Promise<EntityState | undefined>;
  /** Reads on in a range of ids, in their order. */
  page(asked: OldPageAsked): Promise<OldPage>;
}

export function createOldTable(options: OldTableOptions): OldTable {
  const { store, table, tableId } = options;
  const adopt = (row: TableRow): AdoptedRow => adoptRow(row, { tableId, table });
  return {
    async get(key) {
      const row = await getRow({ store, table }, key);
      return row && adopt(row).state;
    },
    async page({ range, limit, continuation, where }) {
      const { ask, rest } = firstStoreRange(range, tableId);
      if (ask === undefined) return { rows: [], rest, continuation: undefined };
      const page = await store.query({
        table,
        ...ask,
        limit,
        where: where && askablePart(where, columnOf),
        ...(continuation === undefined ? {} : { continuation }),
      });
      const read = page.rows.flatMap((row) => adoptOrTell(row, options));
      const last = page.rows.at(-1);
      // What is asked of a store may hold more than the range, never less.
      const rows = read.filter(({ entityId }) => isWithin(entityId, range));
      if (page.continuation === undefined) return { rows, rest, continuation: undefined };
      if (last === undefined) return { rows, rest: range, continuation: page.continuation };
      // Not by its id: a row whose keys are too long has none.
      const value = startOf(tableId, last.partitionKey) + SEPARATOR + last.rowKey;
      const from = { value, isIncluded: false };
      return { rows, rest: { ...range, from }, continuation: undefined };
    },
  };
}

function adoptOrTell(row: TableRow, options: OldTableOptions): AdoptedRow[] {
  try {
    return [adoptRow(row, options)];
  } catch (error) {
    if (!(error instanceof TerminalError)) throw error;
    const { partitionKey, rowKey } = row;
    options.onRefused?.({ partitionKey, rowKey, why: error.message });
    return [];
  }
}

function isWithin(entityId: string, { from, to }: IdRange): boolean {
  const isBehind = from.isIncluded ? entityId >= from.value : entityId > from.value;
  return isBehind && (to.isIncluded ? entityId <= to.value : entityId < to.value);
}

/** Empty keys are legal, and no store gives a row of them by a name. */
export async function getRow(
  { store, table }: Pick<OldTableOptions, 'store' | 'table'>,
  { partitionKey, rowKey }: OpenKey,
): Promise<TableRow | undefined> {
  if (partitionKey !== '' && rowKey !== '') return store.get(table, partitionKey, rowKey);
  const rows = { rowsFrom: rowKey, rowsThrough: rowKey };
  let continuation: string | undefined;
  do {
    const from = continuation === undefined ? {} : { continuation };
    const page = await store.query({ table, partitions: partitionKey, ...rows, limit: 1, ...from });
    const [row] = page.rows;
    if (row !== undefined) return row;
    ({ continuation } = page);
  } while (continuation !== undefined);
  return undefined;
}

/** Returns a row of an old table as every region has it. Throws `ROW_MALFORMED` for one that none can adopt. */
export function adoptRow(
  { partitionKey, rowKey, etag, properties, damage }: TableRow,
  { tableId, table }: Pick<OldTableOptions, 'tableId' | 'table'>,
): AdoptedRow {
  const entityId = encodeOpenId(tableId, { partitionKey, rowKey });
  const timestamp = timestampOfTag(etag);
  const stamp = timestamp === undefined ? undefined : adoptedStamp(entityId, timestamp);
  if (stamp !== undefined && damage === undefined) {
    return { partitionKey, rowKey, entityId, state: adoptedState(stamp, properties) };
  }
  const what = damage ?? 'its ETag tells no Timestamp that it is of';
  throw new TerminalError(
    'ROW_MALFORMED',
    `Row ${JSON.stringify(partitionKey)}, ${JSON.stringify(rowKey)} of the old table ${table} cannot be adopted: ` +
      `${what}. Write it anew there while it is not taken over yet.`,
    { details: { partitionKey, rowKey } },
  );
}

/** A Guid that was written to an emulator in capitals is compared there as it was written, and bytes as base64. */
const columnOf = (comparison: Comparison): Comparison | undefined =>
  ['Guid', 'Binary'].includes(comparison.value.type) ? undefined : comparison;

/** A place among keys: before every RowKey of the PartitionKey where it has none. */
interface Place {
  readonly partitionKey: string;
  readonly rowKey: Bound | undefined;
}

const SEPARATOR = '!0';
/** No PartitionKey begins with what is no character. */
const BEHIND_ALL = '\uffff';

/**
 * Cuts from a range of ids what one question to a plain store can hold: rows of one PartitionKey, or whole PartitionKeys.
 * `ask` is undefined where that holds no row.
 */
function firstStoreRange(
  range: IdRange,
  tableId: string,
): { readonly ask: Pick<RowRange, 'partitions'> | undefined; readonly rest: IdRange | undefined } {
  const from = placeOf(range.from, tableId);
  const to = placeOf(range.to, tableId);
  if (from.partitionKey > to.partitionKey) return { ask: undefined, rest: undefined };
  if (from.partitionKey === to.partitionKey) {
    if (to.rowKey === undefined) return { ask: undefined, rest: undefined };
    const bounds = { ...lowerOf(from.rowKey), ...upperOf(to.rowKey) };
    return { ask: { partitions: from.partitionKey, ...bounds }, rest: undefined };
  }
  if (from.rowKey !== undefined) {
    // The least key behind this one is itself and a space, whose code its rows end at.
    const next = `${from.partitionKey} `;
    const rest = { ...range, from: { value: startOf(tableId, next), isIncluded: true } };
    return { ask: { partitions: from.partitionKey, ...lowerOf(from.rowKey) }, rest };
  }
  const partitions = { from: from.partitionKey, before: to.partitionKey };
  const rest =
    to.rowKey === undefined
      ? undefined
      : {
          ...range,
          from: { value: startOf(tableId, to.partitionKey) + SEPARATOR, isIncluded: true },
        };
  return { ask: { partitions }, rest };
}

function startOf(tableId: string, partitionKey: string): string {
  return tableId + partitionKey.replaceAll('!', '!2').replaceAll(' ', '!1');
}

/** Reads the keys out of a bound of ids, which may end anywhere in a code. */
function placeOf({ value, isIncluded }: Bound, tableId: string): Place {
  if (!value.startsWith(tableId)) return { partitionKey: BEHIND_ALL, rowKey: undefined };
  const coded = value.slice(tableId.length);
  const end = coded.indexOf(SEPARATOR);
  const code = end === -1 ? coded.replace(/!$/, '') : coded.slice(0, end);
  const partitionKey = code.replaceAll('!1', ' ').replaceAll('!2', '!');
  if (end === -1) return { partitionKey, rowKey: undefined };
  return { partitionKey, rowKey: { value: coded.slice(end + SEPARATOR.length), isIncluded } };
}

function lowerOf(bound: Bound | undefined): Partial<RowRange> {
  if (bound === undefined) return {};
  return bound.isIncluded ? { rowsFrom: bound.value } : { rowsAfter: bound.value };
}

function upperOf({ value, isIncluded }: Bound): Partial<RowRange> {
  return isIncluded ? { rowsThrough: value } : { rowsBefore: value };
}

// What of a filter a store is asked: never more than the filter says, so that each row that it means comes, and whoever
// asks judges all that comes by the whole of it.
//
//     a and b       what of each can be asked
//     a or b        what of both can be asked, or nothing
//     not a, true   nothing: what a store lets pass too much would be missing then
//     a < b         as it is, where `isAskable`; an order of instants with the instant itself, for stores compare milliseconds

/** Leaves room for the bounds of a range and for what a form of rows adds. */
const COMPARISONS_ASKED_MAX = 8;
/** As it stands in a URL, of which the service takes 32 KiB with all else. */
const TEXT_ASKED_MAX = 4_096;

/**
 * Returns undefined where nothing can be asked. `columnsOf` says of a comparison what holds in the columns of a row
 * where it does, and undefined where none tells.
 */
export function askablePart(
  where: Predicate,
  columnsOf: (comparison: Comparison) => Predicate | undefined,
): Predicate | undefined {
  const asked: Predicate[] = [];
  for (const part of conjunctsOf(where)) {
    const own = weaken(part, columnsOf);
    if (own === undefined) continue;
    const all = join('and', [...asked, own]);
    if ([...comparisonsOf(all)].length > COMPARISONS_ASKED_MAX) continue;
    if (encodeURIComponent(printPredicate(all)).length > TEXT_ASKED_MAX) continue;
    asked.push(own);
  }
  return asked.length === 0 ? undefined : join('and', asked);
}

function conjunctsOf(where: Predicate): readonly Predicate[] {
  return where.kind === 'and' ? where.parts.flatMap(conjunctsOf) : [where];
}

function join(kind: 'and' | 'or', parts: readonly Predicate[]): Predicate {
  const [only] = parts;
  return only !== undefined && parts.length === 1 ? only : { kind, parts };
}

/** Returns what holds wherever `where` does. */
function weaken(
  where: Predicate,
  columnsOf: (comparison: Comparison) => Predicate | undefined,
): Predicate | undefined {
  switch (where.kind) {
    case 'and': {
      const parts = where.parts.flatMap((part) => weaken(part, columnsOf) ?? []);
      return parts.length === 0 ? undefined : join('and', parts);
    }
    case 'or': {
      const parts = where.parts.map((part) => weaken(part, columnsOf));
      const known = parts.filter((part) => part !== undefined);
      return known.length === 0 || known.length < parts.length ? undefined : join('or', known);
    }
    case 'compare': {
      const columns = columnsOf(where);
      if (columns?.kind !== 'compare') return columns && weaken(columns, itself);
      const askable = { ...columns, ...wider(columns) };
      return isAskable(askable) ? askable : undefined;
    }
    case 'not':
    case 'constant':
    default:
      return undefined;
  }
}

const itself = (comparison: Comparison): Comparison => comparison;

function wider({ operator, value }: Comparison): Pick<Comparison, 'operator' | 'value'> {
  const canonical = canonicalValue(value);
  if (value.type !== 'DateTime') return { operator, value: canonical };
  if (operator === 'gt') return { operator: 'ge', value: canonical };
  return { operator: operator === 'lt' ? 'le' : operator, value: canonical };
}
