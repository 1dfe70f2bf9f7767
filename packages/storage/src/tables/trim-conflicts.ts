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
  pagesOf,
  type RowOperation,
  type SizedSpans,
  stampTimeMs,
  type TableRow,
  type TableStore,
  type TrimReport,
} from '@tandem/core';
import { createHorizonRecord, createHorizonRows } from '../retention/horizon-rows.ts';
import { textOf } from '../rows/entity-row.ts';
import { ENTITY_ROWS_FROM } from '../rows/row-key.ts';
import {
  type JoinedRows,
  joinRows,
  rowKeysOf,
  storedBytesIn,
  toDeletions,
} from '../rows/set-rows.ts';
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
const PAGE_ROWS = 200;

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
    let doomed: DoomedConflict[] = [];
    const dropAll = async (): Promise<boolean> => {
      if (doomed.length === 0) return true;
      if (signal?.aborted === true || rows >= options.rowsMax || (await options.isBusy()))
        return false;
      const dropped = await dropUnlessUntold(store, doomed);
      rows += dropped.length;
      for (const one of dropped) bytes += one.bytes;
      doomed = [];
      await options.pace();
      return true;
    };
    for await (const page of pagesIn(store, span)) {
      for (const joined of await joinRows(page, { store, table: CONFLICTS_TABLE })) {
        doomed.push(...toDoomed(joined, horizons));
        if (doomed.length >= ROWS_PER_DROP && !(await dropAll())) return stopped();
      }
    }
    if (!(await dropAll())) return stopped();
  }
  return { rows, bytes, isWhole: true };
}

interface DoomedConflict {
  readonly first: TableRow;
  readonly laterKeys: readonly string[];
  readonly bytes: number;
}

/** Returns none for what is younger. What nobody can read stays, as what an operator has set aside does. */
function toDoomed(joined: JoinedRows, horizons: Horizons): readonly DoomedConflict[] {
  const { row } = joined;
  const [stamp = ''] = row.rowKey.split('~');
  if (!isStamp(stamp) || joined.kind === 'damaged') return [];
  try {
    const { encoded } = joined;
    const horizonMs = horizonOf(horizons, decodeConflict(encoded).entityId);
    if (horizonMs === undefined || stampTimeMs(stamp) >= horizonMs) return [];
    const laterKeys = rowKeysOf(row.rowKey, encoded).slice(1);
    return [{ first: row, laterKeys, bytes: encoded.length }];
  } catch (error) {
    if (error instanceof AppError) return [];
    throw error;
  }
}

/**
 * Takes away the conflicts of one partition that no peer is still to be told of, and resolves with them. Each is marked
 * first: whoever finds such a conflict anew notes whom he owes it before he looks at the row, and writes a row that is
 * marked again. So either what he owes is seen here, or the row is not as it was marked.
 */
async function dropUnlessUntold(
  store: TableStore,
  doomed: readonly DoomedConflict[],
): Promise<readonly DoomedConflict[]> {
  const marked = await eachCommitted(store, doomed, ({ first: { rowKey, etag, properties } }) => [
    {
      kind: 'replace',
      rowKey,
      etag,
      properties: new Map([...properties, [GOING, { type: 'Boolean', value: true }]]),
    },
  ]);
  const untold = await readUntold(store);
  const left = marked.filter(
    ({ first: { partitionKey, rowKey } }) => !untold.has(`${partitionKey}/${rowKey}`),
  );
  return eachCommitted(store, left, ({ first: { rowKey, etag }, laterKeys }) => [
    { kind: 'delete', rowKey, etag },
    ...toDeletions(laterKeys),
  ]);
}

/** Binary columns travel as Base64, a third longer, and 4 MiB is the bound of a transaction. */
const BYTES_PER_DROP = 1024 * 1024;
const TRANSACTION_BOUNDS = {
  countMax: ROWS_PER_DROP,
  weightMax: BYTES_PER_DROP * ROWS_PER_DROP,
  weigh: ({ first, laterKeys }: DoomedConflict): number =>
    Math.max(storedBytesIn(first) * ROWS_PER_DROP, (laterKeys.length + 1) * BYTES_PER_DROP),
};

/** Commits operations on the rows of each conflict, and resolves with those that were as they had been read. */
async function eachCommitted(
  store: TableStore,
  conflicts: readonly DoomedConflict[],
  toOperations: (conflict: DoomedConflict) => readonly RowOperation[],
): Promise<readonly DoomedConflict[]> {
  const done: DoomedConflict[] = [];
  for (const part of chunk(conflicts, TRANSACTION_BOUNDS)) {
    const [one] = part;
    if (one === undefined) continue;
    const operations = part.map(toOperations);
    const { partitionKey } = one.first;
    const outcome = await store.commit({
      table: CONFLICTS_TABLE,
      partitionKey,
      operations: operations.flat(),
    });
    if (outcome.kind === 'committed') {
      let at = 0;
      for (const [nth, conflict] of part.entries()) {
        const { first } = conflict;
        done.push({ ...conflict, first: { ...first, etag: outcome.etags[at] ?? first.etag } });
        at += operations[nth]?.length ?? 0;
      }
    } else if (part.length > 1) {
      // One was written to meanwhile: each is settled on its own.
      for (const own of part) done.push(...(await eachCommitted(store, [own], toOperations)));
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
async function* pagesIn(
  store: TableStore,
  { entityKind, bucket, fromMs, beforeMs }: JournalSpan,
): AsyncGenerator<readonly TableRow[]> {
  const range = {
    table: CONFLICTS_TABLE,
    partitions: `${entityKind}-${bucket}`,
    rowsFrom: fromMs === undefined ? ENTITY_ROWS_FROM : stampPrefix(fromMs),
    ...(beforeMs === undefined ? {} : { rowsBefore: stampPrefix(beforeMs) }),
    limit: PAGE_ROWS,
  };
  for await (const { rows } of pagesOf((from) => store.query({ ...range, ...from }))) yield rows;
}

/** Returns what tells how much of a journal was written when. */
export function sizedJournal(store: TableStore): SizedSpans {
  const horizons = createHorizonRows({ store, table: CONFLICTS_TABLE });
  return {
    async *scan(span) {
      for await (const page of pagesIn(store, span)) {
        for (const row of page)
          yield { rowKey: row.rowKey, encoded: { length: storedBytesIn(row) } };
      }
    },
    horizonMs: (entityKind, tableId) => horizons.read(entityKind, tableId),
  };
}
