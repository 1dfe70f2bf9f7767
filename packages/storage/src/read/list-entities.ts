import {
  assert,
  bucketNames,
  type EntityKind,
  type EntityState,
  isAlive,
  newestStamp,
  pagesOf,
  type RowPage,
  type StoredState,
  stampTimeMs,
  type TableStore,
  TerminalError,
  TransientError,
  type TypedKind,
} from '@tandem/core';
import type { ListFilter } from '../replicated-table.ts';
import { type DamagedEntityRow, judgeRow } from '../rows/entity-row.ts';
import { ENTITY_ROWS_FROM, keyAfter, SYSTEM_ROWS_FROM } from '../rows/row-key.ts';
import { type CursorScope, decodeCursor, encodeCursor, type PagePosition } from './page-cursor.ts';

export interface ListOptions {
  readonly store: TableStore;
  readonly kind: EntityKind;
  readonly bucketCount: number;
  readonly limit: number;
  readonly cursor: string | undefined;
  readonly filter: ListFilter;
  /** Told of each row that is skipped, since it is none of an entity or nobody can read it. */
  readonly onDamaged?: ((row: DamagedEntityRow) => void) | undefined;
}

export interface ListedPage {
  readonly rows: readonly ListedRow[];
  readonly cursor: string | undefined;
}

interface ListedRow {
  readonly rowKey: string;
  readonly entityId: string;
  readonly row: StoredState;
}

/** Bounds one call where many tombstones lie together: the page is then short and has a cursor. */
const QUERIES_MAX = 50;
/** With a filter most rows are read in vain: as many at a time as the store gives, and less often. */
const FILTERED_QUERIES_MAX = 10;
const FILTERED_ROWS_PER_QUERY = 1_000;
/** The service looks for rows for five seconds a page. */
const EMPTY_PAGES_MAX = 20;

/**
 * Lists live entities, bucket by bucket in the order of their keys. The cursor names the last key, so a
 * page neither repeats nor misses an entity that exists throughout, whatever is written meanwhile.
 * Rows that are none of ours are skipped, and the cursor goes on behind them.
 * With a filter a page reads at most 10,000 rows, and is then short, or empty, and has a cursor.
 */
export async function listEntities(options: ListOptions): Promise<ListedPage> {
  const { limit, filter } = options;
  const buckets = bucketNames(options.bucketCount);
  const scope = { kind: options.kind.name, buckets, filter: nameFilter(filter) };
  const isFiltered = scope.filter !== '';
  const queriesMax = isFiltered ? FILTERED_QUERIES_MAX : QUERIES_MAX;
  const rows: ListedRow[] = [];
  let at: PagePosition | undefined = startOf(options, scope);
  for (let query = 0; query < queriesMax && at !== undefined; query += 1) {
    const room = limit - rows.length;
    const rowsMax = isFiltered ? FILTERED_ROWS_PER_QUERY : room;
    const { found, next } = await readOn({ ...options, at, buckets, rowsMax });
    rows.push(...found.slice(0, room));
    const last = found.length > room ? rows.at(-1) : undefined;
    at = last === undefined ? next : { bucket: at.bucket, rowKey: last.rowKey };
    if (rows.length >= limit) break;
  }
  return { rows, cursor: at === undefined ? undefined : encodeCursor(scope, at) };
}

interface Reading extends ListOptions {
  readonly at: PagePosition;
  readonly buckets: readonly string[];
  readonly rowsMax: number;
}

interface ReadRows {
  readonly found: readonly ListedRow[];
  /** Undefined at the end of the table. */
  readonly next: PagePosition | undefined;
}

async function readOn(reading: Reading): Promise<ReadRows> {
  const { at, buckets, filter } = reading;
  const page = await readPage(reading);
  const found = page.rows.flatMap((one) => {
    const judged = judgeRow(one, reading);
    if (judged.kind === 'damaged') {
      reading.onDamaged?.(judged);
      return [];
    }
    const { row } = judged;
    const isFound = isAlive(row.state) && passesFilter(filter, row.state);
    return isFound ? [{ rowKey: one.rowKey, entityId: row.entityId, row }] : [];
  });
  const lastKey = page.rows.at(-1)?.rowKey;
  return {
    found,
    next:
      page.continuation === undefined
        ? nextBucket(buckets, at.bucket)
        : { bucket: at.bucket, rowKey: lastKey ?? at.rowKey },
  };
}

/**
 * Goes on from a page without rows, with which the service may answer a query that took it long: from where
 * that page began it would answer the same again. Throws `TABLE_UNAVAILABLE` when none ever has rows.
 */
async function readPage({ store, kind, at, rowsMax }: Reading): Promise<RowPage> {
  const range = {
    table: kind.name,
    partitions: at.bucket,
    rowsFrom: at.rowKey === '' ? ENTITY_ROWS_FROM : keyAfter(kind, at.rowKey),
    rowsBefore: SYSTEM_ROWS_FROM,
    limit: rowsMax,
  };
  let pages = 0;
  for await (const page of pagesOf((from) => store.query({ ...range, ...from }))) {
    if (page.rows.length > 0 || page.continuation === undefined) return page;
    pages += 1;
    if (pages === EMPTY_PAGES_MAX) break;
  }
  throw new TransientError(
    'TABLE_UNAVAILABLE',
    `Bucket ${at.bucket} of ${kind.name} answered ${EMPTY_PAGES_MAX} pages without a row. Ask again.`,
  );
}

function startOf({ cursor }: ListOptions, scope: CursorScope): PagePosition {
  if (cursor !== undefined) return decodeCursor(cursor, scope);
  const [first] = scope.buckets;
  assert(first !== undefined, 'a table has at least one bucket');
  return { bucket: first, rowKey: '' };
}

function nextBucket(buckets: readonly string[], bucket: string): PagePosition | undefined {
  const next = buckets[buckets.indexOf(bucket) + 1];
  return next === undefined ? undefined : { bucket: next, rowKey: '' };
}

/** Throws `ENTITY_INVALID` for what no entity is found by, or every one is: it was meant to be another filter. */
export function checkFilter({ name, edmTypes }: TypedKind, filter: ListFilter): void {
  const { changedSinceMs, equals = {} } = filter;
  if (changedSinceMs !== undefined && !Number.isFinite(changedSinceMs)) {
    throw invalidFilter(name, 'changedSinceMs is no number of milliseconds since the epoch');
  }
  for (const [field, text] of Object.entries(equals)) {
    if (edmTypes.get(field) !== 'String') {
      throw invalidFilter(name, `it has no text field ${JSON.stringify(field)}`);
    }
    if (typeof text === 'string' && text.isWellFormed()) continue;
    throw invalidFilter(name, `"${field}" is compared with no well-formed text`);
  }
}

function invalidFilter(kind: string, what: string): TerminalError {
  return new TerminalError('ENTITY_INVALID', `${kind} cannot be listed so: ${what}.`);
}

/** Names a filter: two that ask for the same have the same name. */
function nameFilter({ changedSinceMs, equals = {} }: ListFilter): string {
  const fields = Object.entries(equals).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return changedSinceMs === undefined && fields.length === 0
    ? ''
    : JSON.stringify([changedSinceMs ?? null, fields]);
}

/** Tells whether a live entity is one that the filter asks for. */
function passesFilter(
  { changedSinceMs, equals = {} }: ListFilter,
  { vector, fields }: EntityState,
): boolean {
  const newest = newestStamp(vector);
  const changedMs = newest === undefined ? 0 : stampTimeMs(newest);
  if (changedSinceMs !== undefined && changedMs < changedSinceMs) return false;
  return Object.entries(equals).every(([name, text]) => {
    const value = fields.get(name)?.value;
    return value?.type === 'String' && value.value === text;
  });
}
