import {
  bucketNames,
  chunk,
  type EntityKind,
  forEachBounded,
  fragmentCountOf,
  type Outbox,
  type OutboxEntry,
  ROWS_PER_TRANSACTION_MAX,
  type TableStore,
  TerminalError,
} from '@tandem/core';
import { keyBeforeAside } from '../rows/row-key.ts';
import { firstKeyOf, type JoinedRows, joinRows, rowKeysOf, toDeletions } from '../rows/set-rows.ts';
import {
  fromOutboxRow,
  lanePrefix,
  type OutboxPlace,
  outboxRowKey,
  toOutboxRows,
} from '../write-path/commit-change-set.ts';
import { settlePrepared } from '../write-path/prepared-set.ts';

export interface TableOutboxOptions {
  readonly store: TableStore;
  readonly kind: EntityKind;
  readonly bucketCount: number;
}

const BUCKETS_AT_ONCE_MAX = 8;
const REMOVAL_BOUNDS = {
  countMax: ROWS_PER_TRANSACTION_MAX,
  weightMax: ROWS_PER_TRANSACTION_MAX,
  weigh: ({ encoded }: OutboxEntry): number => fragmentCountOf(encoded),
};

/** Returns the outbox rows in the partitions of one entity kind's table. */
export function createTableOutbox({ store, kind, bucketCount }: TableOutboxOptions): Outbox {
  const table = kind.name;

  const deleteAll = async (bucket: string, rowKeys: readonly string[]): Promise<boolean> => {
    const operations = toDeletions(rowKeys);
    return (await store.commit({ table, partitionKey: bucket, operations })).kind === 'committed';
  };

  /** Deletes in one transaction, or one by one when a row of them is gone already. */
  const removeChunk = async (bucket: string, entries: readonly OutboxEntry[]): Promise<void> => {
    if (await deleteAll(bucket, entries.flatMap(keysOf))) return;
    if (entries.length > 1) {
      for (const entry of entries) await removeChunk(bucket, [entry]);
      return;
    }
    // Some rows of a set are lost: the first one goes last, for without it nobody would know of the others.
    const [first, ...later] = entries.flatMap(keysOf);
    if (later.length === 0 || first === undefined) return;
    for (const rowKey of [...later, first]) await deleteAll(bucket, [rowKey]);
  };

  return {
    entityKind: kind.name,
    buckets: bucketNames(bucketCount),

    async scan({ bucket, limit, parkedFor, continuation }) {
      const prefix = lanePrefix(parkedFor);
      const page = await store.query({
        table,
        partitions: bucket,
        rowsFrom: prefix,
        rowsBefore: `${prefix}~`,
        limit,
        ...(continuation === undefined ? {} : { continuation }),
      });
      const [aside, rows] = partition(
        page.rows,
        ({ rowKey }) => keyBeforeAside(rowKey) !== undefined,
      );
      const joined = await joinRows(rows, { store, table });
      const read = joined.map((one) => readEntry(one, { entityKind: kind.name, parkedFor }));
      const asideKeys = new Set(aside.map(({ rowKey }) => rowKey));
      return {
        entries: read.filter((one) => typeof one !== 'string'),
        unreadable: read.filter((one) => typeof one === 'string'),
        aside: [...asideKeys].filter((rowKey) => !asideKeys.has(firstKeyOf(rowKey) ?? '')),
        ...(page.continuation === undefined ? {} : { continuation: page.continuation }),
      };
    },

    async remove(entries) {
      const work = [...Map.groupBy(entries, ({ set }) => set.bucket)].flatMap(([bucket, own]) =>
        chunk(own, REMOVAL_BOUNDS).map((part) => ({ bucket, part })),
      );
      await forEachBounded(work, BUCKETS_AT_ONCE_MAX, ({ bucket, part }) =>
        removeChunk(bucket, part),
      );
    },

    park: (entry, owed) => park(entry, owed, { store, table }),

    settle: (entry) => settlePrepared(entry, { store, kind, bucketCount }),
  };
}

function keyOf(entry: OutboxEntry): string {
  return outboxRowKey(entry.set.stamp, entry.parkedFor);
}

function keysOf(entry: OutboxEntry): readonly string[] {
  return rowKeysOf(keyOf(entry), entry.encoded);
}

/** Puts the entry aside for each peer that it is still owed to, in the place of the row that was for all of them. */
async function park(
  entry: OutboxEntry,
  owed: readonly string[],
  { store, table }: { readonly store: TableStore; readonly table: string },
): Promise<void> {
  const place = { table, partitionKey: entry.set.bucket };
  const copies = owed.map((peer) => {
    const copy: OutboxEntry = { ...entry, owed: [peer], parkedFor: peer, prepared: undefined };
    return toOutboxRows(copy).map((row) => ({ ...row, kind: 'upsert' as const }));
  });
  const deletions = toDeletions(keysOf(entry));
  const [last = [], ...others] = copies.toReversed();
  // A transaction has room for one copy of a large set: cut off in between, it is sent to some twice.
  const together = deletions.length === 1 ? copies.flat() : last;
  for (const operations of deletions.length === 1 ? [] : others) {
    if ((await store.get(table, place.partitionKey, keyOf(entry))) === undefined) return;
    await store.commit({ ...place, operations });
  }
  // Refused when the row is gone: then someone else has parked or delivered it.
  await store.commit({ ...place, operations: [...deletions, ...together] });
}

/** Returns the row's key where the row cannot be read: one bad row must not hold up the others. */
function readEntry(joined: JoinedRows, place: OutboxPlace): OutboxEntry | string {
  if (joined.kind === 'damaged') return joined.row.rowKey;
  try {
    return fromOutboxRow(joined, place);
  } catch (error) {
    if (error instanceof TerminalError) return joined.row.rowKey;
    throw error;
  }
}

function partition<T>(all: readonly T[], isFirst: (one: T) => boolean): readonly [T[], T[]] {
  return [all.filter(isFirst), all.filter((one) => !isFirst(one))];
}
