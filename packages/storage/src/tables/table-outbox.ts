import {
  bucketNames,
  chunk,
  type EntityKind,
  forEachBounded,
  type Outbox,
  type OutboxEntry,
  ROWS_PER_TRANSACTION_MAX,
  type RowOperation,
  type TableRow,
  type TableStore,
  TerminalError,
} from '@tandem/core';
import { keyBeforeAside } from '../rows/row-key.ts';
import {
  fromOutboxRow,
  lanePrefix,
  type OutboxPlace,
  outboxRowKey,
  toOutboxProperties,
} from '../write-path/commit-change-set.ts';
import { settlePrepared } from '../write-path/prepared-set.ts';

export interface TableOutboxOptions {
  readonly store: TableStore;
  readonly kind: EntityKind;
  readonly bucketCount: number;
}

const BUCKETS_AT_ONCE_MAX = 8;

/** Returns the outbox rows in the partitions of one entity kind's table. */
export function createTableOutbox({ store, kind, bucketCount }: TableOutboxOptions): Outbox {
  const table = kind.name;

  const keyOf = (entry: OutboxEntry): string => outboxRowKey(entry.set.stamp, entry.parkedFor);

  /** Deletes in one transaction, or one by one when a row of them is gone already. */
  const removeChunk = async (bucket: string, entries: readonly OutboxEntry[]): Promise<void> => {
    const operations = entries.map(
      (entry): RowOperation => ({ kind: 'delete', rowKey: keyOf(entry) }),
    );
    const outcome = await store.commit({ table, partitionKey: bucket, operations });
    if (outcome.kind === 'committed' || entries.length === 1) return;
    for (const entry of entries) await removeChunk(bucket, [entry]);
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
      const read = rows.map((row) => readRow(row, { entityKind: kind.name, parkedFor }));
      return {
        entries: read.filter((one) => typeof one !== 'string'),
        unreadable: read.filter((one) => typeof one === 'string'),
        aside: aside.map(({ rowKey }) => rowKey),
        ...(page.continuation === undefined ? {} : { continuation: page.continuation }),
      };
    },

    async remove(entries) {
      const work = [...Map.groupBy(entries, ({ set }) => set.bucket)].flatMap(([bucket, own]) =>
        chunk(own, { countMax: ROWS_PER_TRANSACTION_MAX }).map((part) => ({ bucket, part })),
      );
      await forEachBounded(work, BUCKETS_AT_ONCE_MAX, ({ bucket, part }) =>
        removeChunk(bucket, part),
      );
    },

    async park(entry, owed) {
      const parked = owed.map((peer): RowOperation => {
        const parkedFor = peer;
        const copy: OutboxEntry = { ...entry, owed: [peer], parkedFor, prepared: undefined };
        return { kind: 'upsert', rowKey: keyOf(copy), properties: toOutboxProperties(copy) };
      });
      // Refused when the row is gone: then someone else has parked or delivered it.
      await store.commit({
        table,
        partitionKey: entry.set.bucket,
        operations: [{ kind: 'delete', rowKey: keyOf(entry) }, ...parked],
      });
    },

    settle: (entry) => settlePrepared(entry, { store, kind, bucketCount }),
  };
}

/** Returns the row's key where the row cannot be read: one bad row must not hold up the others. */
function readRow(row: TableRow, place: OutboxPlace): OutboxEntry | string {
  try {
    return fromOutboxRow(row, place);
  } catch (error) {
    if (error instanceof TerminalError) return row.rowKey;
    throw error;
  }
}

function partition<T>(all: readonly T[], isFirst: (one: T) => boolean): readonly [T[], T[]] {
  return [all.filter(isFirst), all.filter((one) => !isFirst(one))];
}
