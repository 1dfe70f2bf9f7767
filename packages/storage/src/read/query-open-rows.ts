/**
 * Reads rows of one table of an open kind in the order of (PartitionKey, RowKey). What the predicate says of keys
 * becomes ranges of ids; each bucket that may hold some is a stream of rows in order, and the streams are merged.
 *
 *     bucket 0   [ range ][ range ]   ──► buffer ─┐
 *     bucket 1   [ range ]            ──► buffer ─┼──► the least id of all heads, while every stream has a head
 *     bucket 2   [ range ][ range ]   ──► buffer ─┘
 *
 * While a table is taken over, the old one is one stream more. A row here hides that of the same keys there, also where
 * it is a tombstone or does not match, so it stands in its stream, hidden itself.
 *
 * While a table moves to another space, each bucket of that is a stream too. Rows of the same keys are joined, and the join is
 * what is judged: so every row comes whole, whatever it is by itself.
 *
 * The store is asked for the rows and the columns that are wanted, as far as it can tell: of a row with a spill it cannot,
 * so such rows come whatever the predicate says of properties, and where columns were chosen its stream is read whole
 * from there on. What comes is judged by the whole predicate.
 *
 * A page ends where it is full, where enough rows were looked at, or where it took long; it is full by rows or by bytes. Its cursor is the position of
 * the least row that was not given, so it holds in every region. Rows that are none of ours are skipped and told of.
 */
import {
  type Bound,
  bucketNames,
  bucketOf,
  type Clock,
  comparisonsOf,
  decodeOpenId,
  type EntityState,
  type FieldValue,
  findValueFault,
  type IdRange,
  isAlive,
  keyBoxesOf,
  matches,
  mergeRows,
  newestStamp,
  type OpenKey,
  type OpenKind,
  openIdRange,
  openPartitionOf,
  type Predicate,
  publicTimestamp,
  type Randomness,
  type RowRange,
  type StoredState,
  type TableRow,
  type TableStore,
  TerminalError,
  valueBytes,
} from '@tandem/core';
import { type DamagedEntityRow, judgeRow } from '../rows/entity-row.ts';
import { columnsOfComparison, columnsToRead, hasSpill, IS_SPILT } from '../rows/open-row.ts';
import { retryRead } from '../tables/table-replica.ts';
import { type AdoptedRow, askablePart, type OldTable } from './old-table.ts';
import { sealCursor, unsealCursor } from './page-cursor.ts';

export interface OpenQuery {
  /** Says which rows are meant, by their properties, `PartitionKey` and `RowKey`; all by default. */
  readonly where?: Predicate | undefined;
  /** Limits the query to one partition; all are read by default. */
  readonly partition?: string | undefined;
  /** 1 to 1,000 rows a page; 1,000 by default. */
  readonly limit?: number | undefined;
  /** Is that of the page before, of the same query, in any region. */
  readonly cursor?: string | undefined;
  /** Names the properties that are given; all by default. */
  readonly select?: readonly string[] | undefined;
}

/** The table of the store that rows of an open kind lie in. */
export interface SpaceRows {
  readonly kind: OpenKind;
  readonly bucketCount: number;
}

export interface OpenRowsOptions extends SpaceRows {
  readonly store: TableStore;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly tableId: string;
  /** Is what the ids began with before the table was returned to a plain one: cursors of then are good. */
  readonly formerId?: string | undefined;
  /** Is what the table shows where nothing is stored here, while it is taken over; nothing by default. */
  readonly old?: OldTable | undefined;
  /** Is where rows lie too while the table moves; there is none by default. */
  readonly other?: SpaceRows | undefined;
  /** Told of each row that is skipped, since it is none of an entity or nobody can read it. */
  readonly onDamaged?: ((row: DamagedEntityRow) => void) | undefined;
}

interface OpenRow extends OpenKey {
  readonly row: StoredState & { readonly entityId: string };
  /** It is none of the answer, and none of the old table of the same keys is either. */
  readonly isHidden: boolean;
}

export interface OpenRowsPage {
  readonly rows: readonly OpenRow[];
  /** Undefined at the end. A page may be short, or empty, and have one. */
  readonly cursor: string | undefined;
}

export const OPEN_PAGE_LIMIT_MAX = 1_000;
/** Bounds the values of a page, but for its last row, much as the service bounds its answers. */
const PAGE_BYTES_MAX = 4 * 1_024 * 1_024;
const LOOKED_AT_MAX = 10_000;
const PAGE_MS_MAX = 4_000;
/** A page of the store that gives nothing has looked at no more than this. */
const ROWS_PER_QUERY_MAX = 1_000;
/** Each bucket may be asked so often for a page, however many there are. */
const ROUNDS_MIN = 4;
/** A store that is asked for any row gives one, but for where it moves its own bounds meanwhile. */
const PLACE_QUERIES_MAX = 16;
/** Each bucket is asked for its share of a page and a half of it more, and for a few where that is little. */
const SHARE = 1.5;
const SHARE_MIN = 8;
/** Throws `ENTITY_INVALID` and `CURSOR_INVALID` before anything is read. */
export async function queryOpenRows(
  query: OpenQuery,
  options: OpenRowsOptions,
): Promise<OpenRowsPage> {
  const { limit = OPEN_PAGE_LIMIT_MAX } = query;
  checkQuery(query, limit);
  const scope = scopeOf(query, options.tableId);
  const start = query.cursor === undefined ? undefined : startOf(query, query.cursor, options);
  const streams = openStreams(query, start, options);
  const share = Math.ceil((limit / Math.max(1, streams.length)) * SHARE) + SHARE_MIN;
  const rowsMax = streams.length === 1 ? limit : Math.min(share, limit);
  const asked: Asked = { ...options, ...toAsked(query, rowsMax, options) };
  const lookedAtMax = Math.max(LOOKED_AT_MAX, ROUNDS_MIN * streams.length * ROWS_PER_QUERY_MAX);
  const endMs = options.clock.nowMs() + PAGE_MS_MAX;
  const rows: OpenRow[] = [];
  let lookedAt = 0;
  let bytes = 0;
  while (rows.length < limit && bytes < PAGE_BYTES_MAX) {
    const headless = streams.filter(isHeadless);
    if (headless.length === 0) {
      const first = leastHead(streams, asked);
      if (first === undefined) break;
      if (!first.isHidden) {
        rows.push(first);
        bytes += bytesOf(first);
      }
      continue;
    }
    if (lookedAt >= lookedAtMax || options.clock.nowMs() >= endMs) {
      await Promise.all(headless.map((stream) => place(stream, asked)));
      rows.push(...headsThatAreNext(streams, limit - rows.length, asked));
      break;
    }
    const counts = await Promise.all(headless.map((stream) => refill(stream, asked)));
    lookedAt += counts.reduce((sum, count) => sum + count, 0);
  }
  const next = leastPosition(streams);
  return { rows, cursor: next === undefined ? undefined : encodeCursor(next, scope) };
}

function bytesOf({ row }: OpenRow): number {
  let bytes = 0;
  for (const { value } of row.state.fields.values()) if (value !== null) bytes += valueBytes(value);
  return bytes;
}

/** Says which bucket a stream is of. */
interface Place {
  readonly space: SpaceRows;
  readonly bucket: string;
}

/** Holds what is left of one bucket, or of the old table. */
interface Stream {
  /** Undefined of the old table. */
  readonly of: Place | undefined;
  /** In order, and apart from each other; the first begins behind what was read. */
  ranges: readonly IdRange[];
  readonly buffer: OpenRow[];
  /**
   * Is where the store goes on, of the range that it was asked for: after a page without rows it would answer the same
   * again, and after one with some it would look again at all that it left out behind the last.
   */
  resumed: { readonly range: IdRange; readonly continuation: string } | undefined;
  /** A row with a spill was met, of which some columns tell nothing. */
  isReadWhole: boolean;
  /** The last rows that came were none of the answer: what is asked of a store is wider than the predicate. */
  isInVain: boolean;
}

interface Asked extends OpenRowsOptions {
  readonly where: Predicate | undefined;
  readonly rowsMax: number;
  /** After rows that came in vain. */
  readonly rowsMaxInVain: number;
  /** What of `where` the store is asked. */
  readonly asked: Predicate | undefined;
  /** What the old table is. */
  readonly oldAsked: Predicate | undefined;
  /** The columns that the store is asked for; all where undefined. */
  readonly columns: ReadonlySet<string> | undefined;
}

/** Tells whether nobody knows the next row of a stream that may have some. */
function isHeadless({ buffer, ranges }: Stream): boolean {
  return buffer.length === 0 && ranges.length > 0;
}

/** Takes rows as long as nothing that nobody knows can come before them: a stream may lose its last head on the way. */
function headsThatAreNext(streams: readonly Stream[], countMax: number, asked: Asked): OpenRow[] {
  const rows: OpenRow[] = [];
  while (rows.length < countMax) {
    const next = leastPosition(streams);
    const unknown = leastPosition(streams.filter(isHeadless));
    if (next === undefined || (unknown !== undefined && orderOfStarts(next, unknown) >= 0)) break;
    const head = leastHead(streams, asked);
    if (head === undefined) break;
    if (!head.isHidden) rows.push(head);
  }
  return rows;
}

function openStreams(
  { where, partition }: OpenQuery,
  start: Bound | undefined,
  { tableId, kind, bucketCount, old, other }: OpenRowsOptions,
): Stream[] {
  const boxes = keyBoxesOf(joined(where, partition)).map((box) => ({
    range: openIdRange(tableId, box),
    text: openPartitionOf(tableId, box),
  }));
  const spaces = [{ kind, bucketCount }, ...(other === undefined ? [] : [other])];
  const places: [Place | undefined, readonly IdRange[]][] = [
    ...spaces.flatMap((space) => placesIn(space, boxes)),
    ...(old === undefined
      ? []
      : [[undefined, boxes.map(({ range }) => range)] as [undefined, IdRange[]]]),
  ];
  return places.flatMap(([of, own]) => {
    const ranges = unite(own).flatMap((range) => startingAt(range, start));
    if (ranges.length === 0) return [];
    return [{ of, ranges, buffer: [], resumed: undefined, isReadWhole: false, isInVain: false }];
  });
}

/** Returns the ranges that each bucket of a space may hold rows of. */
function placesIn(
  space: SpaceRows,
  boxes: readonly { readonly range: IdRange; readonly text: string | undefined }[],
): [Place, readonly IdRange[]][] {
  const { bucketCount } = space;
  return bucketNames(bucketCount).map((bucket) => [
    { space, bucket },
    boxes.flatMap(({ range, text }) =>
      text === undefined || bucketOf(text, bucketCount) === bucket ? [range] : [],
    ),
  ]);
}

function joined(where: Predicate | undefined, partition: string | undefined): Predicate {
  const parts = [
    ...(where === undefined ? [] : [where]),
    ...(partition === undefined ? [] : [isPartition(partition)]),
  ];
  return parts.length === 0 ? { kind: 'constant', value: true } : { kind: 'and', parts };
}

function isPartition(value: string): Predicate {
  return {
    kind: 'compare',
    name: 'PartitionKey',
    operator: 'eq',
    value: { type: 'String', value },
  };
}

/** Returns ranges that hold the same and are apart, so that no row comes twice. */
function unite(ranges: readonly IdRange[]): IdRange[] {
  const united: IdRange[] = [];
  for (const range of ranges.toSorted((a, b) => orderOfStarts(a.from, b.from))) {
    const last = united.at(-1);
    if (last === undefined || range.from.value > last.to.value) united.push(range);
    else if (orderOfEnds(last.to, range.to) < 0) united.splice(-1, 1, { ...last, to: range.to });
  }
  return united;
}

function orderOfStarts(a: Bound, b: Bound): number {
  return orderOf(a.value, b.value) || Number(b.isIncluded) - Number(a.isIncluded);
}

function orderOfEnds(a: Bound, b: Bound): number {
  return orderOf(a.value, b.value) || Number(a.isIncluded) - Number(b.isIncluded);
}

function orderOf(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function startingAt(range: IdRange, start: Bound | undefined): IdRange[] {
  if (start === undefined || orderOfStarts(start, range.from) <= 0) return [range];
  if (start.value > range.to.value) return [];
  return [{ ...range, from: start }];
}

/** Takes the least row, and that under the same keys of the old table, which it hides, or of the other space, which it is joined with. */
function leastHead(streams: readonly Stream[], asked: Asked): OpenRow | undefined {
  if (asked.other !== undefined) return leastJoined(streams, asked);
  let least: Stream | undefined;
  // That of the old table is the last, so of two with the same keys it comes second.
  for (const stream of streams) {
    const [head] = stream.buffer;
    const [other] = least?.buffer ?? [];
    if (head === undefined) continue;
    if (other === undefined || head.row.entityId < other.row.entityId) least = stream;
    else if (head.row.entityId === other.row.entityId) stream.buffer.shift();
  }
  return least?.buffer.shift();
}

/** Takes the least row as both spaces have it. What nobody can read in one of them may say that it is another. */
function leastJoined(streams: readonly Stream[], asked: Asked): OpenRow | undefined {
  const heads = streams.flatMap(({ buffer: [head] }) => (head === undefined ? [] : [head]));
  const entityId = heads
    .map(({ row }) => row.entityId)
    .reduce<string | undefined>((a, b) => (a === undefined || b < a ? b : a), undefined);
  const same = heads.filter(({ row }) => row.entityId === entityId);
  const [first, second] = same;
  if (first === undefined) return undefined;
  for (const { buffer } of streams) if (buffer[0]?.row.entityId === entityId) buffer.shift();
  const row =
    second === undefined
      ? first.row
      : { entityId: first.row.entityId, ...mergeRows(first.row, second.row) };
  const found = { ...first, row };
  const isShown = isAlive(row.state) && isWanted(found, asked);
  return { ...found, isHidden: !isShown || same.some(({ isHidden }) => isHidden) };
}

/** Returns where the least row lies that was not given, or undefined when there is none. */
function leastPosition(streams: readonly Stream[]): Bound | undefined {
  const positions = streams.flatMap(({ buffer: [head], ranges: [range] }): Bound[] => {
    if (head !== undefined) return [{ value: head.row.entityId, isIncluded: true }];
    return range === undefined ? [] : [range.from];
  });
  return positions.sort(orderOfStarts)[0];
}

/**
 * Reads the row at which the store stopped, whatever it holds: a cursor is the place of a row, and behind a page without
 * rows only the store knows how far it was. Without it the next page would look at the same rows again, for ever.
 */
async function place(stream: Stream, asked: Asked): Promise<void> {
  const any = { ...asked, rowsMax: 1, rowsMaxInVain: 1, asked: undefined, oldAsked: undefined };
  stream.isReadWhole = true;
  for (let nth = 0; nth < PLACE_QUERIES_MAX; nth += 1) {
    if (stream.resumed === undefined || stream.buffer.length > 0) return;
    await refill(stream, any);
  }
}

/** Reads one page into the buffer of a stream; returns how many rows were looked at for it. */
async function refill(stream: Stream, asked: Asked): Promise<number> {
  const { of, ranges, resumed } = stream;
  const [range, ...later] = ranges;
  if (range === undefined) return 0;
  return of === undefined
    ? refillOld(stream, { range: resumed?.range ?? range, later }, asked)
    : refillOurs(stream, { range: resumed?.range ?? range, ...of }, asked);
}

async function refillOld(
  stream: Stream,
  { range, later }: { readonly range: IdRange; readonly later: readonly IdRange[] },
  asked: Asked,
): Promise<number> {
  const { rowsMax, old, oldAsked: where } = asked;
  const continuation = stream.resumed?.continuation;
  const limit = where === undefined ? rowsMax : ROWS_PER_QUERY_MAX;
  const page = await retryRead(async () => old?.page({ range, limit, continuation, where }), asked);
  if (page === undefined) return 0;
  stream.buffer.push(...page.rows.flatMap((row) => judgeOld(row, asked)));
  stream.ranges = page.rest === undefined ? later : [page.rest, ...later];
  stream.resumed = resumedAt(range, page.continuation);
  return page.continuation === undefined ? page.rows.length : ROWS_PER_QUERY_MAX;
}

async function refillOurs(
  stream: Stream,
  { range, bucket, space }: Place & { readonly range: IdRange },
  asked: Asked,
): Promise<number> {
  const { store, asked: where } = asked;
  const rowsMax = stream.isInVain ? asked.rowsMaxInVain : asked.rowsMax;
  const continuation = stream.resumed?.continuation;
  const select = stream.isReadWhole ? undefined : asked.columns;
  const page = await retryRead(
    () =>
      store.query({
        table: space.kind.name,
        partitions: bucket,
        ...boundsOf(range),
        limit: rowsMax,
        where,
        select,
        ...(continuation === undefined ? {} : { continuation }),
      }),
    asked,
  );
  const spilt =
    select === undefined ? -1 : page.rows.findIndex(({ properties }) => hasSpill(properties));
  const rows = spilt === -1 ? page.rows : page.rows.slice(0, spilt);
  const isPart = select !== undefined;
  stream.buffer.push(...rows.flatMap((row) => judge(row, { isPart, ...space }, asked)));
  stream.isInVain = stream.buffer.length === 0;
  const last = rows.at(-1);
  if (spilt !== -1) {
    stream.isReadWhole = true;
    stream.resumed = undefined;
    if (last !== undefined) stream.ranges = behind(stream.ranges, last.rowKey);
    return page.rows.length;
  }
  if (page.continuation === undefined) stream.ranges = stream.ranges.slice(1);
  else if (last !== undefined) stream.ranges = behind(stream.ranges, last.rowKey);
  const isGoneOn = last === undefined || where !== undefined;
  stream.resumed = resumedAt(range, isGoneOn ? page.continuation : undefined);
  // What the store left out it looked at too, unless the page was full before.
  return stream.resumed === undefined || rows.length === rowsMax ? rows.length : ROWS_PER_QUERY_MAX;
}

function resumedAt(range: IdRange, continuation: string | undefined): Stream['resumed'] {
  return continuation === undefined ? undefined : { range, continuation };
}

function behind([range, ...others]: readonly IdRange[], rowKey: string): IdRange[] {
  if (range === undefined) return [];
  return [{ ...range, from: { value: rowKey, isIncluded: false } }, ...others];
}

/** Returns the bounds of a range of ids as a store takes them. */
export function boundsOf({ from, to }: IdRange): Partial<RowRange> {
  return {
    ...(from.isIncluded ? { rowsFrom: from.value } : { rowsAfter: from.value }),
    ...(to.isIncluded ? { rowsThrough: to.value } : { rowsBefore: to.value }),
  };
}

function judge(
  row: TableRow,
  form: SpaceRows & { readonly isPart: boolean },
  asked: Asked,
): OpenRow[] {
  const judged = judgeRow(row, form);
  const isOverOther = asked.old !== undefined || asked.other !== undefined;
  if (judged.kind === 'damaged') {
    asked.onDamaged?.(judged);
    // Nobody knows what it is, but it is newer than what it hides.
    const keys = decodeOpenId(row.rowKey);
    if (!isOverOther || keys === undefined) return [];
    const { partitionKey, rowKey } = keys;
    const nothing = { entityId: row.rowKey, state: NOTHING, referenceId: undefined };
    return [{ partitionKey, rowKey, row: nothing, isHidden: true }];
  }
  const keys = decodeOpenId(judged.row.entityId);
  if (keys === undefined) return [];
  const { partitionKey, rowKey } = keys;
  const found = { partitionKey, rowKey, row: judged.row, isHidden: false };
  // Of the two rows of a table that moves neither says by itself what is shown.
  if (asked.other !== undefined) return [found];
  if (isAlive(judged.row.state) && isWanted(found, asked)) return [found];
  return asked.old === undefined ? [] : [{ ...found, isHidden: true }];
}

const NOTHING: EntityState = {
  fields: new Map(),
  alive: undefined,
  deleted: undefined,
  vector: new Map(),
};

function judgeOld({ entityId, state, ...key }: AdoptedRow, asked: Asked): OpenRow[] {
  const found = { ...key, row: { entityId, state, referenceId: undefined }, isHidden: false };
  return isWanted(found, asked) ? [found] : [];
}

function isWanted(found: OpenRow, { where }: Asked): boolean {
  return where === undefined || matches(where, (name) => valueOf(found, name));
}

function valueOf({ partitionKey, rowKey, row }: OpenRow, name: string): FieldValue | undefined {
  if (name === 'PartitionKey') return { type: 'String', value: partitionKey };
  if (name === 'RowKey') return { type: 'String', value: rowKey };
  if (name === 'Timestamp') return timestampOf(row);
  return row.state.fields.get(name)?.value ?? undefined;
}

/** Returns the time of the newest write in a row, as its origin's clock had it. */
function timestampOf({ state }: StoredState): FieldValue | undefined {
  const newest = newestStamp(state.vector);
  if (newest === undefined) return undefined;
  return { type: 'DateTime', value: publicTimestamp(newest) };
}

/**
 * Returns what a store is asked. Of a table that hides an old one every row, for one that does not match hides too; of one that
 * moves every row, and whole, for it is joined before it is judged.
 */
function toAsked(
  { where: asked, partition, select }: OpenQuery,
  rowsMax: number,
  { old, other }: Pick<OpenRowsOptions, 'old' | 'other'>,
): Omit<Asked, keyof OpenRowsOptions> {
  const where =
    asked === undefined && partition === undefined ? undefined : joined(asked, partition);
  const names = [...(asked === undefined ? [] : comparisonsOf(asked))]
    .map(({ name }) => name)
    .filter((name) => !KEYS.has(name));
  const isAlone = old === undefined && other === undefined;
  const pushed = asked && isAlone ? askablePart(asked, columnsOfComparison) : undefined;
  const pushedNames = new Set(
    [...(pushed === undefined ? [] : comparisonsOf(pushed))].map(({ name }) => name),
  );
  const columns = select && other === undefined ? columnsToRead([...select, ...names]) : undefined;
  return {
    where,
    // Where the store cannot tell most rows are read in vain: as many at a time as it gives.
    rowsMax: pushedNames.size < new Set(names).size ? ROWS_PER_QUERY_MAX : rowsMax,
    rowsMaxInVain: where === undefined ? rowsMax : ROWS_PER_QUERY_MAX,
    asked: pushed && { kind: 'or', parts: [pushed, IS_SPILT] },
    oldAsked: where,
    columns: columns !== undefined && isAskedFor(columns) ? columns : undefined,
  };
}

/** As their names stand in a URL, of which the service takes 32 KiB with all else. */
const COLUMNS_TEXT_MAX = 2_048;
/** The service names each column that a row has not, so many cost more than they spare. */
const COLUMNS_ASKED_MAX = 32;

function isAskedFor(columns: ReadonlySet<string>): boolean {
  if (columns.size > COLUMNS_ASKED_MAX) return false;
  return encodeURIComponent([...columns].join(',')).length <= COLUMNS_TEXT_MAX;
}
const KEYS: ReadonlySet<string> = new Set(['PartitionKey', 'RowKey']);

function checkQuery({ where, partition, select }: OpenQuery, limit: number): void {
  if (!Number.isInteger(limit) || limit < 1 || limit > OPEN_PAGE_LIMIT_MAX) {
    throw invalid(`A page of ${limit} rows was asked for: ask for 1 to ${OPEN_PAGE_LIMIT_MAX}.`);
  }
  if (partition?.isWellFormed() === false) {
    throw invalid('The PartitionKey asked for holds half a surrogate pair: no row has it.');
  }
  if (select?.length === 0)
    throw invalid('No property was chosen: name one, or leave `select` out.');
  for (const { name, value } of where === undefined ? [] : comparisonsOf(where)) {
    const fault = findValueFault(value);
    if (fault === undefined) continue;
    throw invalid(`What "${name}" is compared with ${fault.text}. Compare it with another value.`);
  }
}

function invalid(message: string): TerminalError {
  return new TerminalError('ENTITY_INVALID', message);
}

/** Names a predicate: two that are the same tree have the same name. */
function nameOf(where: Predicate | undefined): string {
  if (where === undefined) return '';
  return JSON.stringify(where, (_, value: unknown) =>
    typeof value === 'bigint' ? `${value}L` : value,
  );
}

function encodeCursor({ value, isIncluded }: Bound, scope: string): string {
  return sealCursor(`${isIncluded ? '=' : '>'}${value}`, scope);
}

function scopeOf({ partition, where }: OpenQuery, tableId: string): string {
  return `o1:${tableId}:${JSON.stringify([partition ?? null, nameOf(where)])}`;
}

function startOf(
  query: OpenQuery,
  cursor: string,
  { tableId, formerId }: Pick<OpenRowsOptions, 'tableId' | 'formerId'>,
): Bound {
  const text = unsealCursor(cursor, scopeOf(query, tableId));
  if (text !== undefined) return { value: text.slice(1), isIncluded: text.startsWith('=') };
  const former =
    formerId === undefined ? undefined : unsealCursor(cursor, scopeOf(query, formerId));
  if (formerId === undefined || former === undefined) {
    throw new TerminalError(
      'CURSOR_INVALID',
      'The cursor is not one that this query gave out. Begin again without one.',
    );
  }
  const value = tableId + former.slice(1 + formerId.length);
  return { value, isIncluded: former.startsWith('=') };
}
