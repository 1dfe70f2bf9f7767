// How a journal of conflicts is trimmed: what is older than its horizon goes, but for what a peer is still to be told.
import {
  AppError,
  chunk,
  decodeConflict,
  type HorizonRecord,
  type Horizons,
  horizonOf,
  isStamp,
  latestHorizon,
  type Properties,
  pagesOf,
  type RowOperation,
  type SizedSpans,
  stampTimeMs,
  type TableRow,
  type TableStore,
  type TrimReport,
} from '@tandem/core';
import { createHorizonRecord, createHorizonRows } from '../retention/horizon-rows.ts';
import { fromPayloadColumns, textOf } from '../rows/entity-row.ts';
import { ENTITY_ROWS_FROM } from '../rows/row-key.ts';
import { stampPrefix } from './table-archive.ts';
import { CONFLICTS_TABLE, GOING, UNTOLD_PREFIX } from './table-conflict-journal.ts';

/** Says how far back the journal of a kind goes, and that of each table of clients that keeps it otherwise. */
export function createConflictHorizons({
  store,
  entityKind,
}: {
  readonly store: TableStore;
  readonly entityKind: string;
}): HorizonRecord {
  return createHorizonRecord({ store, table: CONFLICTS_TABLE, entityKind });
}

export interface TrimConflictsOptions {
  readonly store: TableStore;
  readonly entityKind: string;
  readonly buckets: readonly string[];
  /** Conflicts whose later transaction was stamped before that of their entity go; recorded before the first one does. */
  readonly horizons: Horizons;
  /** Whether someone recovers the region, or it is held: then nothing is trimmed. */
  readonly isBusy: () => Promise<boolean>;
  /** Called between two transactions, to leave the table to its writers. */
  readonly pace: () => Promise<void>;
  readonly rowsMax: number;
  readonly signal?: AbortSignal | undefined;
}

const ROWS_PER_DROP = 50;
const PAGE_ROWS = 500;

/** Trims the journal of one kind. May be cut off anywhere and repeated. */
export async function trimConflicts(options: TrimConflictsOptions): Promise<TrimReport> {
  const { store, entityKind, horizons, signal } = options;
  const latestMs = latestHorizon(horizons);
  let rows = 0;
  let bytes = 0;
  const stopped = (): TrimReport => ({ rows, bytes, isWhole: false });
  if (latestMs === undefined) return { rows, bytes, isWhole: true };
  if (await options.isBusy()) return stopped();
  const record = createConflictHorizons(options);
  for (const [tableId, tableMs] of horizons.tables) await record.raise(tableMs, tableId);
  if (horizons.kindMs !== undefined) await record.raise(horizons.kindMs);
  for (const bucket of options.buckets) {
    const span = { entityKind, bucket, beforeMs: latestMs };
    let doomed: TableRow[] = [];
    const dropAll = async (): Promise<boolean> => {
      if (doomed.length === 0) return true;
      if (signal?.aborted === true || rows >= options.rowsMax || (await options.isBusy()))
        return false;
      const dropped = await dropUnlessUntold(store, doomed);
      rows += dropped.length;
      for (const row of dropped) bytes += payloadOf(row.properties).length;
      doomed = [];
      await options.pace();
      return true;
    };
    for await (const row of rowsIn(store, span)) {
      if (isOlder(row, horizons)) doomed.push(row);
      if (doomed.length >= ROWS_PER_DROP && !(await dropAll())) return stopped();
    }
    if (!(await dropAll())) return stopped();
  }
  return { rows, bytes, isWhole: true };
}

/** Returns nothing for a row without one. */
function payloadOf(properties: Properties): Uint8Array {
  return properties.has('payload0') ? fromPayloadColumns(properties) : new Uint8Array();
}

/** A row that nobody can read stays, as one does that an operator has set aside. */
function isOlder({ rowKey, properties }: TableRow, horizons: Horizons): boolean {
  const [stamp = ''] = rowKey.split('~');
  if (!isStamp(stamp)) return false;
  try {
    const { entityId } = decodeConflict(fromPayloadColumns(properties));
    const horizonMs = horizonOf(horizons, entityId);
    return horizonMs !== undefined && stampTimeMs(stamp) < horizonMs;
  } catch (error) {
    if (error instanceof AppError) return false;
    throw error;
  }
}

/**
 * Takes away the rows of one partition that no peer is still to be told of, and resolves with them. Each is marked
 * first: whoever finds such a conflict anew notes whom he owes it before he looks at the row, and writes a row that is
 * marked again. So either what he owes is seen here, or the row is not as it was marked.
 */
async function dropUnlessUntold(
  store: TableStore,
  rows: readonly TableRow[],
): Promise<readonly TableRow[]> {
  const marked = await eachCommitted(store, rows, (row) => ({
    kind: 'replace',
    rowKey: row.rowKey,
    etag: row.etag,
    properties: new Map([...row.properties, [GOING, { type: 'Boolean', value: true }]]),
  }));
  const untold = await readUntold(store);
  const left = marked.filter(
    ({ partitionKey, rowKey }) => !untold.has(`${partitionKey}/${rowKey}`),
  );
  return eachCommitted(store, left, ({ rowKey, etag }) => ({ kind: 'delete', rowKey, etag }));
}

const TRANSACTION_BOUNDS = {
  countMax: ROWS_PER_DROP,
  /** Binary columns travel as Base64, a third longer, and 4 MiB is the bound of a transaction. */
  weightMax: 1024 * 1024,
  weigh: ({ properties }: TableRow): number => payloadOf(properties).length,
};

/** Commits an operation on each row of a partition, and resolves with those that were as they had been read. */
async function eachCommitted(
  store: TableStore,
  rows: readonly TableRow[],
  toOperation: (row: TableRow) => RowOperation,
): Promise<readonly TableRow[]> {
  const done: TableRow[] = [];
  for (const part of chunk(rows, TRANSACTION_BOUNDS)) {
    const [first] = part;
    if (first === undefined) continue;
    const operations = part.map(toOperation);
    const { partitionKey } = first;
    const outcome = await store.commit({ table: CONFLICTS_TABLE, partitionKey, operations });
    if (outcome.kind === 'committed') {
      done.push(...part.map((row, at) => ({ ...row, etag: outcome.etags[at] ?? row.etag })));
    } else if (part.length > 1) {
      // One was written to meanwhile: each is settled on its own.
      for (const row of part) done.push(...(await eachCommitted(store, [row], toOperation)));
    }
  }
  return done;
}

/** Names the conflicts that some peer is still to be told of. */
async function readUntold(store: TableStore): Promise<ReadonlySet<string>> {
  const range = {
    table: CONFLICTS_TABLE,
    partitions: { from: UNTOLD_PREFIX, before: `${UNTOLD_PREFIX}\uffff` },
    limit: PAGE_ROWS,
  };
  const named = new Set<string>();
  for await (const page of pagesOf((from) => store.query({ ...range, ...from }))) {
    for (const { properties } of page.rows) {
      const of = (name: string): string => textOf(properties, name) ?? '';
      named.add(`${of('conflictPartition')}/${of('conflictRow')}`);
    }
  }
  return named;
}

interface JournalSpan {
  readonly entityKind: string;
  readonly bucket: string;
  readonly fromMs?: number;
  readonly beforeMs?: number;
}

/** In the order of the later of the two transactions, with which the keys begin. */
async function* rowsIn(
  store: TableStore,
  { entityKind, bucket, fromMs, beforeMs }: JournalSpan,
): AsyncGenerator<TableRow> {
  const range = {
    table: CONFLICTS_TABLE,
    partitions: `${entityKind}-${bucket}`,
    rowsFrom: fromMs === undefined ? ENTITY_ROWS_FROM : stampPrefix(fromMs),
    ...(beforeMs === undefined ? {} : { rowsBefore: stampPrefix(beforeMs) }),
    limit: PAGE_ROWS,
  };
  for await (const page of pagesOf((from) => store.query({ ...range, ...from }))) yield* page.rows;
}

/** Returns what tells how much of a journal was written when. */
export function sizedJournal(store: TableStore): SizedSpans {
  const horizons = createHorizonRows({ store, table: CONFLICTS_TABLE });
  return {
    async *scan(span) {
      for await (const { rowKey, properties } of rowsIn(store, span)) {
        yield { rowKey, encoded: payloadOf(properties) };
      }
    },
    horizonMs: (entityKind, tableId) => horizons.read(entityKind, tableId),
  };
}
