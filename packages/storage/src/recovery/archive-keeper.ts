import {
  AppError,
  type ArchiveKeeper,
  type ArchiveRow,
  type ArchiveSpan,
  archivePartitionOf,
  bucketOf,
  type ChangeSet,
  chunk,
  covers,
  decodeStoredChangeSet,
  encodeChangeSet,
  forEachBounded,
  isSameState,
  joinChangeSets,
  type Properties,
  pagesOf,
  type RowOperation,
  type ScannedArchiveRow,
  type TableStore,
  untilUncontended,
} from '@tandem/core';
import { createHorizonRows } from '../retention/horizon-rows.ts';
import { ENTITY_ROWS_FROM } from '../rows/row-key.ts';
import {
  countIn,
  type JoinedRows,
  joinRows,
  joinSet,
  rowKeysOf,
  toDeletions,
  toLaterRows,
  toSetColumns,
} from '../rows/set-rows.ts';
import {
  ARCHIVE_TABLE,
  ARCHIVE_TRANSACTION_BOUNDS,
  isStandIn,
  stampPrefix,
  toArchiveProperties,
  toStandInProperties,
} from '../tables/table-archive.ts';

const PAGE_ROWS = 500;
const PARTITIONS_AT_ONCE_MAX = 8;
const READS_AT_ONCE_MAX = 16;
const CONTENTION = { attemptsMax: 10, remedy: 'Repeat the command.' };

/** Reads and writes the table `Archive` row by row. */
export function createTableArchiveKeeper({ store }: { readonly store: TableStore }): ArchiveKeeper {
  const put = async (rows: readonly ArchiveRow[]): Promise<readonly ArchiveRow[]> => {
    const leftOut: ArchiveRow[] = [];
    const work = [...Map.groupBy(rows, ({ partitionKey }) => partitionKey)].flatMap(
      ([partitionKey, own]) =>
        chunk(own, ARCHIVE_TRANSACTION_BOUNDS).map((part) => ({ partitionKey, part })),
    );
    await forEachBounded(work, PARTITIONS_AT_ONCE_MAX, ({ partitionKey, part }) =>
      putPart(store, { partitionKey, part, leftOut }),
    );
    return leftOut;
  };
  const horizons = createHorizonRows({ store, table: ARCHIVE_TABLE });
  return {
    scan: (span) => scanArchive(store, span),
    put,
    async drop(rows) {
      const dropped: ArchiveRow[] = [];
      const byPartition = Map.groupBy(rows, ({ partitionKey }) => partitionKey);
      for (const [partitionKey, own] of byPartition) {
        for (const part of chunk(own, ARCHIVE_TRANSACTION_BOUNDS)) {
          dropped.push(...(await dropPart(store, partitionKey, part)));
        }
      }
      return dropped;
    },
    horizonMs: (entityKind, tableId) => horizons.read(entityKind, tableId),
    horizons: (...asked) => horizons.readAll(...asked),
    raiseHorizon: (...raised) => horizons.raise(...raised),
    async restore(sets) {
      // What was written meanwhile may hold them by now, so it is looked at again.
      await untilUncontended(async () => {
        const found: ArchiveRow[] = [];
        await forEachBounded(sets, READS_AT_ONCE_MAX, async (set) => {
          found.push(...(await missingRows(store, set)));
        });
        const [leftOut] = await put(joinSameKeys(found));
        return (
          leftOut && { contended: `The archive row ${leftOut.partitionKey}/${leftOut.rowKey}` }
        );
      }, CONTENTION);
    },
  };
}

interface PutPart {
  readonly partitionKey: string;
  readonly part: readonly ArchiveRow[];
  /** Takes what someone else has written meanwhile. */
  readonly leftOut: ArchiveRow[];
}

/** Writes all in one transaction, or one by one when someone has written one of them. */
async function putPart(store: TableStore, { partitionKey, part, leftOut }: PutPart): Promise<void> {
  const operations = part.flatMap((row): readonly RowOperation[] => {
    const { rowKey, etag, rowCount } = row;
    const properties = toRowProperties(row);
    const later = toLaterRows(rowKey, toSetColumns(row), rowCount);
    return etag === undefined
      ? [{ kind: 'insert', rowKey, properties }, ...later]
      : [{ kind: 'replace', rowKey, properties, etag }, ...later];
  });
  const outcome = await store.commit({ table: ARCHIVE_TABLE, partitionKey, operations });
  if (outcome.kind === 'committed') return;
  if (part.length === 1) leftOut.push(...part);
  else for (const row of part) await putPart(store, { partitionKey, part: [row], leftOut });
}

/** A column of rows in which values were erased. */
const ERASED = 'erased';

function toRowProperties(row: ArchiveRow): Properties {
  if (row.isStandIn === true) return toStandInProperties(row);
  const properties = toArchiveProperties(row);
  if (row.isErased !== true) return properties;
  return new Map([...properties, [ERASED, { type: 'Boolean', value: true }]]);
}

/** All in one transaction, or one by one when someone has written one of them. */
async function dropPart(
  store: TableStore,
  partitionKey: string,
  part: readonly ArchiveRow[],
): Promise<readonly ArchiveRow[]> {
  const operations = part.flatMap(({ rowKey, etag, encoded }): RowOperation[] => {
    if (etag === undefined) return [];
    const later = toDeletions(rowKeysOf(rowKey, encoded).slice(1));
    return [{ kind: 'delete', rowKey, etag }, ...later];
  });
  if (operations.length === 0) return [];
  const outcome = await store.commit({ table: ARCHIVE_TABLE, partitionKey, operations });
  if (outcome.kind === 'committed') return part;
  if (part.length === 1) return [];
  const dropped: ArchiveRow[] = [];
  for (const row of part) dropped.push(...(await dropPart(store, partitionKey, [row])));
  return dropped;
}

async function* scanArchive(
  store: TableStore,
  { entityKind, bucket, fromMs, beforeMs }: ArchiveSpan,
): AsyncGenerator<ScannedArchiveRow> {
  const prefix = `${entityKind}-${bucket}`;
  // Stamps begin with their time, so bounds on the row keys hold in every day's partition; those of other days are
  // left out.
  const range = {
    table: ARCHIVE_TABLE,
    partitions: {
      from: `${prefix}-${fromMs === undefined ? '' : dayOf(fromMs)}`,
      before: beforeMs === undefined ? `${prefix}.` : `${prefix}-${dayOf(beforeMs)}~`,
    },
    limit: PAGE_ROWS,
    rowsFrom: fromMs === undefined ? ENTITY_ROWS_FROM : stampPrefix(fromMs),
    ...(beforeMs === undefined ? {} : { rowsBefore: stampPrefix(beforeMs) }),
  };
  for await (const page of pagesOf((from) => store.query({ ...range, ...from }))) {
    for (const joined of await joinRows(page.rows, { store, table: ARCHIVE_TABLE })) {
      yield readArchiveRow(joined);
    }
  }
}

/** Returns the day of a time as a partition names it; no stamp is of a day that has no such name. */
function dayOf(timeMs: number): string {
  const dayMs = Math.min(Math.max(0, timeMs), LAST_DAY_MS);
  return new Date(dayMs).toISOString().slice(0, 10).replaceAll('-', '');
}

const LAST_DAY_MS = Date.UTC(9999, 11, 31);

function readArchiveRow(joined: JoinedRows): ScannedArchiveRow {
  const { partitionKey, rowKey, properties, etag } = joined.row;
  const rowCount = countIn(joined.row);
  const lies = { partitionKey, rowKey, etag, ...(rowCount > 1 && { rowCount }) };
  try {
    if (joined.kind === 'damaged') throw joined.error;
    const { encoded } = joined;
    const set = decodeStoredChangeSet(encoded);
    return {
      kind: 'set',
      ...lies,
      set,
      encoded,
      ...(isStandIn(properties) && { isStandIn: true }),
      ...(properties.get(ERASED)?.value === true && { isErased: true }),
    };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { kind: 'damaged', ...lies, problem: error.message };
  }
}

/**
 * Returns the rows to write so that the archive holds the state: none when it does; the change set's own row
 * where there is none, for `referenceId` names it; and beside it one of the restored state, which no
 * redelivery of the change set overwrites.
 */
async function missingRows(store: TableStore, set: ChangeSet): Promise<ArchiveRow[]> {
  const partitionKey = archivePartitionOf(set);
  const own = await readAt(store, partitionKey, set.stamp);
  if (own.set !== undefined && holdsAll(own.set, set)) return [];
  const [change] = set.changes;
  const isWhole = change?.state.vector.size === 1;
  const plain =
    own.set === undefined
      ? [toRow({ ...own, partitionKey, rowKey: set.stamp, set, isStandIn: true })]
      : [];
  if (own.set === undefined && isWhole) return plain;
  const rowKey = `${set.stamp}~r${bucketOf(change?.entityId ?? '', 256)}`;
  const beside = await readAt(store, partitionKey, rowKey);
  if (beside.set !== undefined && holdsAll(beside.set, set)) return plain;
  const joined = beside.set === undefined ? set : (joinChangeSets(beside.set, set) ?? set);
  return [...plain, toRow({ ...beside, partitionKey, rowKey, set: joined })];
}

/** Several entities of one commit have one stamp, and so one key. */
function joinSameKeys(rows: readonly ArchiveRow[]): ArchiveRow[] {
  const joined = new Map<string, ArchiveRow>();
  for (const row of rows) {
    const key = `${row.partitionKey}/${row.rowKey}`;
    const there = joined.get(key);
    const set = there === undefined ? row.set : (joinChangeSets(there.set, row.set) ?? row.set);
    joined.set(key, toRow({ ...row, set }));
  }
  return [...joined.values()];
}

/** What lies there, no set where that is nothing or cannot be read. */
async function readAt(
  store: TableStore,
  partitionKey: string,
  rowKey: string,
): Promise<{ readonly set: ChangeSet | undefined } & Pick<ArchiveRow, 'etag' | 'rowCount'>> {
  const row = await store.get(ARCHIVE_TABLE, partitionKey, rowKey);
  const joined = row && (await joinSet(row, new Map(), { store, table: ARCHIVE_TABLE }));
  if (joined === undefined) return { set: undefined, etag: undefined };
  const { etag, rowCount, ...read } = readArchiveRow(joined);
  return { set: read.kind === 'set' ? read.set : undefined, etag, rowCount };
}

function holdsAll(there: ChangeSet, wanted: ChangeSet): boolean {
  return wanted.changes.every(({ entityId, state }) => {
    const own = there.changes.find((change) => change.entityId === entityId)?.state;
    return own !== undefined && (isSameState(own, state) || isNewer(own, state));
  });
}

function isNewer(
  own: ChangeSet['changes'][number]['state'],
  state: ChangeSet['changes'][number]['state'],
): boolean {
  return covers(own.vector, state.vector) && !covers(state.vector, own.vector);
}

function toRow(row: Omit<ArchiveRow, 'encoded'>): ArchiveRow {
  return { ...row, encoded: encodeChangeSet(row.set) };
}
