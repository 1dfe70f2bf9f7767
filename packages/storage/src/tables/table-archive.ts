import {
  AppError,
  type Archive,
  type ArchiveEntry,
  archivePartitionOf,
  type ChangeSet,
  chunk,
  decodeStoredChangeSet,
  encodeChangeSet,
  type FieldValue,
  forEachBounded,
  fragmentCountOf,
  isSameState,
  isSameValue,
  joinChangeSets,
  originOf,
  type Properties,
  pagesOf,
  ROWS_PER_TRANSACTION_MAX,
  type RowOperation,
  type TableRow,
  type TableStore,
  untilUncontended,
} from '@tandem/core';
import { ENTITY_ROWS_FROM } from '../rows/row-key.ts';
import {
  countIn,
  type JoinedRows,
  joinRows,
  joinSet,
  toLaterRows,
  toSetColumns,
} from '../rows/set-rows.ts';
export const ARCHIVE_TABLE = 'Archive';

/** Binary columns travel as Base64, a third longer, and 4 MiB is the bound of a transaction. */
const BYTES_PER_TRANSACTION_MAX = 2 * 1024 * 1024;
const PARTITIONS_AT_ONCE_MAX = 8;
const ROWS_AT_ONCE_MAX = 16;
const CONTENTION = { attemptsMax: 10 };
const PAGE_ROWS = 200;
/** A column of rows that stand where a change set is missing, with what recovery knows of it. */
const STAND_IN = 'standIn';

export interface TableArchiveOptions {
  readonly store: TableStore;
  /** Told of each row that nobody can read: `read` skips it, so that it hides none of the others, and `append` leaves it. */
  readonly onDamaged?: ((row: TableRow, error: AppError) => void) | undefined;
}

/** Opens the table `Archive`: one row a change set, or some where it is large, in partitions by kind, bucket and day. */
export function createTableArchive({ store, onDamaged }: TableArchiveOptions): Archive {
  const table = ARCHIVE_TABLE;
  return {
    async append(entries) {
      const byPartition = Map.groupBy(distinct(entries), ({ set }) => archivePartitionOf(set));
      const work = [...byPartition].flatMap(([partitionKey, own]) =>
        chunk(own, ARCHIVE_TRANSACTION_BOUNDS).map((part) => ({ partitionKey, part })),
      );
      await forEachBounded(work, PARTITIONS_AT_ONCE_MAX, async ({ partitionKey, part }) => {
        const operations = part.flatMap((entry) => toInsertions(entry.set.stamp, entry));
        const outcome = await store.commit({ table, partitionKey, operations });
        if (outcome.kind === 'committed') return;
        // Some of it is there already: sent again, or archived by the process that wrote it.
        await forEachBounded(part, ROWS_AT_ONCE_MAX, (entry) =>
          appendOne(store, partitionKey, { entry, onDamaged }),
        );
      });
    },

    async has(key) {
      return (await store.get(table, archivePartitionOf(key), key.stamp)) !== undefined;
    },

    async *read({ entityKind, bucket, fromMs, beforeMs }) {
      const prefix = `${entityKind}-${bucket}`;
      // Stamps begin with their time, so bounds on the row keys hold in every day's partition.
      const range = {
        table,
        partitions: { from: `${prefix}-`, before: `${prefix}.` },
        limit: PAGE_ROWS,
        rowsFrom: fromMs === undefined ? ENTITY_ROWS_FROM : stampPrefix(fromMs),
        ...(beforeMs === undefined ? {} : { rowsBefore: stampPrefix(beforeMs) }),
      };
      for await (const { rows } of pagesOf((from) => store.query({ ...range, ...from }))) {
        for (const joined of await joinRows(rows, { store, table })) {
          const set = readSet(joined, onDamaged);
          if (set !== undefined) yield set;
        }
      }
    },
  };
}

/**
 * A change set that is there is left as it is: what was erased in it must not come back by a late delivery. So is one that nobody
 * can read, of which nobody knows what was erased: it is told, and its peers have it. One that a recovery wrote in its place is
 * replaced, and what a set lacks is added, be it a row or a change.
 */
async function appendOne(
  store: TableStore,
  partitionKey: string,
  {
    entry: given,
    onDamaged,
  }: Pick<TableArchiveOptions, 'onDamaged'> & { readonly entry: ArchiveEntry },
): Promise<void> {
  const rowKey = given.set.stamp;
  await untilUncontended(async () => {
    const row = await store.get(ARCHIVE_TABLE, partitionKey, rowKey);
    const joined = row && (await joinSet(row, new Map(), { store, table: ARCHIVE_TABLE }));
    const entry = joined === undefined ? given : missingIn(joined, given, onDamaged);
    if (entry === undefined) return undefined;
    const operations =
      joined === undefined
        ? toInsertions(rowKey, entry)
        : toReplacements(joined.row, entry, toArchiveProperties(entry));
    const outcome = await store.commit({ table: ARCHIVE_TABLE, partitionKey, operations });
    if (outcome.kind === 'committed') return undefined;
    return { contended: `The archive row ${partitionKey}/${rowKey}` };
  }, CONTENTION);
}

/** Returns what inserts the rows of a set; of those after the first one some may be left of a first one that is lost. */
function toInsertions(rowKey: string, entry: ArchiveEntry): readonly RowOperation[] {
  const properties = toArchiveProperties(entry);
  return [{ kind: 'insert', rowKey, properties }, ...toLaterRows(rowKey, toSetColumns(entry))];
}

/** Returns what writes a set, with these columns in its first row, over the one that is there. */
function toReplacements(
  { rowKey, etag, properties: before }: Pick<TableRow, 'rowKey' | 'etag' | 'properties'>,
  entry: ArchiveEntry,
  properties: Properties,
): readonly RowOperation[] {
  const later = toLaterRows(rowKey, toSetColumns(entry), countIn({ properties: before }));
  return [{ kind: 'replace', rowKey, properties, etag }, ...later];
}

/** Returns undefined when the rows have all of it. */
function missingIn(
  joined: JoinedRows,
  own: ArchiveEntry,
  onDamaged: TableArchiveOptions['onDamaged'],
): ArchiveEntry | undefined {
  if (isStandIn(joined.row.properties)) return own;
  const there = readSet(joined, onDamaged);
  if (there === undefined) return isFirstRowOf(own, joined.row) ? own : undefined;
  const ids = new Set(there.changes.map(({ entityId }) => entityId));
  if (own.set.changes.every(({ entityId }) => ids.has(entityId))) return undefined;
  // In the order in which it comes to every region.
  const set = joinChangeSets(own.set, there);
  if (set === undefined) return undefined;
  // As it arrived, so that it lies in the same bytes in every region.
  return isAllOf(own.set, set) ? own : { set, encoded: encodeChangeSet(set) };
}

/** Tells whether it is the row of this very set, of which another row is missing: then nothing was erased in it. */
function isFirstRowOf(entry: ArchiveEntry, { properties }: Pick<TableRow, 'properties'>): boolean {
  return [...toArchiveProperties(entry)].every(([name, value]) =>
    isSameValue(properties.get(name) ?? null, value),
  );
}

function isAllOf(whole: ChangeSet, { changes }: ChangeSet): boolean {
  const states = new Map(whole.changes.map(({ entityId, state }) => [entityId, state]));
  return changes.every(({ entityId, state }) => isSameState(states.get(entityId), state));
}

function readSet(
  joined: JoinedRows,
  onDamaged: TableArchiveOptions['onDamaged'],
): ChangeSet | undefined {
  const { row } = joined;
  try {
    if (joined.kind === 'damaged') throw joined.error;
    return decodeStoredChangeSet(joined.encoded);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    onDamaged?.(row, error);
    return undefined;
  }
}

/** Bounds both the rows and the bytes of a transaction: each set weighs as the one or the other has it. */
export const ARCHIVE_TRANSACTION_BOUNDS = {
  countMax: ROWS_PER_TRANSACTION_MAX,
  weightMax: BYTES_PER_TRANSACTION_MAX * ROWS_PER_TRANSACTION_MAX,
  weigh: ({ encoded }: Pick<ArchiveEntry, 'encoded'>): number =>
    Math.max(
      encoded.length * ROWS_PER_TRANSACTION_MAX,
      fragmentCountOf(encoded) * BYTES_PER_TRANSACTION_MAX,
    ),
};

/** A redelivered change set may stand twice in one batch, and a transaction takes a row once. */
function distinct(entries: readonly ArchiveEntry[]): ArchiveEntry[] {
  const byKey = new Map(
    entries.map((entry) => [`${archivePartitionOf(entry.set)}/${entry.set.stamp}`, entry]),
  );
  return [...byKey.values()];
}

export function isStandIn(properties: Properties): boolean {
  return properties.get(STAND_IN)?.value === true;
}

/** Returns the row of what stands for a change set until that itself is archived. */
export function toStandInProperties(entry: ArchiveEntry): Properties {
  return new Map([...toArchiveProperties(entry), [STAND_IN, { type: 'Boolean', value: true }]]);
}

/** Returns the first row of a set; the columns beside the payload are for people who browse the table. */
export function toArchiveProperties(entry: ArchiveEntry): Properties {
  const { set } = entry;
  const [first] = set.changes;
  const [own = []] = toSetColumns(entry);
  const columns: [string, FieldValue][] = [
    ['origin', { type: 'String', value: originOf(set) }],
    ['changeCount', { type: 'Int32', value: set.changes.length }],
    ...own,
  ];
  if (set.changes.length === 1 && first !== undefined) {
    columns.push(['entityId', { type: 'String', value: first.entityId }]);
    columns.push(['operation', { type: 'String', value: first.operation }]);
  }
  return new Map(columns);
}

export function stampPrefix(timeMs: number): string {
  return Math.max(0, Math.trunc(timeMs)).toString(16).padStart(12, '0');
}
