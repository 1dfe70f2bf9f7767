import {
  AppError,
  archivePartitionOf,
  type ArchiveKeeper,
  type ArchiveRow,
  type ArchiveSpan,
  bucketOf,
  type ChangeSet,
  chunk,
  covers,
  decodeStoredChangeSet,
  encodeChangeSet,
  forEachBounded,
  isSameState,
  joinChangeSets,
  type ScannedArchiveRow,
  type TableRow,
  type TableStore,
} from '@tandem/core';
import { ARCHIVE_TABLE, stampPrefix, toArchiveProperties } from '../archive/table-archive.ts';
import { fromPayloadColumns } from '../rows/payload-columns.ts';

const PAGE_ROWS = 500;
const PARTITIONS_AT_ONCE_MAX = 8;
const READS_AT_ONCE_MAX = 16;
const TRANSACTION_BOUNDS = {
  countMax: 100,
  /** Binary columns travel as Base64, a third longer, and 4 MiB is the bound of a transaction. */
  weightMax: 2 * 1024 * 1024,
  weigh: ({ encoded }: ArchiveRow): number => encoded.length,
};

/** The table `Archive` row by row. */
export function createTableArchiveKeeper({ store }: { readonly store: TableStore }): ArchiveKeeper {
  const put = async (rows: readonly ArchiveRow[]): Promise<void> => {
    const work = [...Map.groupBy(rows, ({ partitionKey }) => partitionKey)].flatMap(
      ([partitionKey, own]) =>
        chunk(own, TRANSACTION_BOUNDS).map((part) => ({ partitionKey, part })),
    );
    await forEachBounded(work, PARTITIONS_AT_ONCE_MAX, async ({ partitionKey, part }) => {
      const operations = part.map((row) => ({
        kind: 'upsert' as const,
        rowKey: row.rowKey,
        properties: toArchiveProperties(row),
      }));
      await store.commit({ table: ARCHIVE_TABLE, partitionKey, operations });
    });
  };
  return {
    scan: (span) => scanArchive(store, span),
    put,
    async restore(sets) {
      const found: ArchiveRow[] = [];
      await forEachBounded(sets, READS_AT_ONCE_MAX, async (set) => {
        found.push(...(await missingRows(store, set)));
      });
      await put(joinSameKeys(found));
    },
  };
}

async function* scanArchive(
  store: TableStore,
  { entityKind, bucket, fromMs, beforeMs }: ArchiveSpan,
): AsyncGenerator<ScannedArchiveRow> {
  const prefix = `${entityKind}-${bucket}`;
  let continuation: string | undefined;
  do {
    // Stamps begin with their time, so bounds on the row keys hold in every day's partition.
    const page = await store.query({
      table: ARCHIVE_TABLE,
      partitions: { from: `${prefix}-`, before: `${prefix}.` },
      limit: PAGE_ROWS,
      ...(fromMs === undefined ? {} : { rowsFrom: stampPrefix(fromMs) }),
      ...(beforeMs === undefined ? {} : { rowsBefore: stampPrefix(beforeMs) }),
      ...(continuation === undefined ? {} : { continuation }),
    });
    for (const row of page.rows) yield readArchiveRow(row);
    ({ continuation } = page);
  } while (continuation !== undefined);
}

function readArchiveRow({ partitionKey, rowKey, properties }: TableRow): ScannedArchiveRow {
  try {
    const encoded = fromPayloadColumns(properties);
    return { kind: 'set', partitionKey, rowKey, set: decodeStoredChangeSet(encoded), encoded };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { kind: 'damaged', partitionKey, rowKey, problem: error.message };
  }
}

/**
 * The rows to write so that the archive holds the state: none when it does; the change set's own row
 * where there is none, for `referenceId` names it; and beside it one of the restored state, which no
 * redelivery of the change set overwrites.
 */
async function missingRows(store: TableStore, set: ChangeSet): Promise<ArchiveRow[]> {
  const partitionKey = archivePartitionOf(set);
  const own = await readAt(store, partitionKey, set.stamp);
  if (own !== undefined && holdsAll(own, set)) return [];
  const [change] = set.changes;
  const isWhole = change?.state.vector.size === 1;
  const plain = own === undefined ? [toRow(partitionKey, set.stamp, set)] : [];
  if (own === undefined && isWhole) return plain;
  const rowKey = `${set.stamp}~r${bucketOf(change?.entityId ?? '', 256)}`;
  const beside = await readAt(store, partitionKey, rowKey);
  if (beside !== undefined && holdsAll(beside, set)) return plain;
  const joined = beside === undefined ? set : (joinChangeSets(beside, set) ?? set);
  return [...plain, toRow(partitionKey, rowKey, joined)];
}

/** Several entities of one commit have one stamp, and so one key. */
function joinSameKeys(rows: readonly ArchiveRow[]): ArchiveRow[] {
  const joined = new Map<string, ArchiveRow>();
  for (const row of rows) {
    const key = `${row.partitionKey}/${row.rowKey}`;
    const there = joined.get(key);
    const set = there === undefined ? row.set : (joinChangeSets(there.set, row.set) ?? row.set);
    joined.set(key, toRow(row.partitionKey, row.rowKey, set));
  }
  return [...joined.values()];
}

async function readAt(
  store: TableStore,
  partitionKey: string,
  rowKey: string,
): Promise<ChangeSet | undefined> {
  const row = await store.get(ARCHIVE_TABLE, partitionKey, rowKey);
  if (row === undefined) return undefined;
  const read = readArchiveRow(row);
  return read.kind === 'set' ? read.set : undefined;
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

function toRow(partitionKey: string, rowKey: string, set: ChangeSet): ArchiveRow {
  return { partitionKey, rowKey, set, encoded: encodeChangeSet(set) };
}
