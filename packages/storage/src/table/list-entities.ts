import {
  assert,
  bucketNames,
  type EntityKind,
  isAlive,
  type StoredState,
  type TableStore,
} from '@tandem/core';
import { fromEntityProperties } from '../rows/entity-row.ts';
import { decodeRowKey, keyAfter, SYSTEM_ROWS_FROM } from '../rows/row-key.ts';
import { decodeCursor, encodeCursor, type PagePosition } from './page-cursor.ts';

export interface ListOptions {
  readonly store: TableStore;
  readonly kind: EntityKind;
  readonly bucketCount: number;
  readonly limit: number;
  readonly cursor: string | undefined;
}

export interface ListedPage {
  readonly rows: readonly { readonly entityId: string; readonly row: StoredState }[];
  readonly cursor: string | undefined;
}

/** Bounds one call where many tombstones lie together: the page is then short and has a cursor. */
const QUERIES_MAX = 50;

/**
 * Live entities, bucket by bucket in the order of their keys. The cursor names the last key, so a
 * page neither repeats nor misses an entity that exists throughout, whatever is written meanwhile.
 */
export async function listEntities(options: ListOptions): Promise<ListedPage> {
  const { store, kind, limit } = options;
  const buckets = bucketNames(options.bucketCount);
  const rows: { entityId: string; row: StoredState }[] = [];
  let at: PagePosition | undefined = startOf(options, buckets);
  for (let query = 0; query < QUERIES_MAX && at !== undefined; query += 1) {
    const page = await store.query({
      table: kind.name,
      partitions: at.bucket,
      ...(at.rowKey === '' ? {} : { rowsFrom: keyAfter(at.rowKey) }),
      rowsBefore: SYSTEM_ROWS_FROM,
      limit: limit - rows.length,
    });
    for (const { rowKey, properties } of page.rows) {
      const row = fromEntityProperties(properties);
      if (isAlive(row.state)) rows.push({ entityId: decodeRowKey(rowKey), row });
    }
    const lastKey: string | undefined = page.rows.at(-1)?.rowKey;
    at =
      page.continuation === undefined
        ? nextBucket(buckets, at.bucket)
        : { bucket: at.bucket, rowKey: lastKey ?? at.rowKey };
    if (rows.length >= limit) break;
  }
  return { rows, cursor: at === undefined ? undefined : encodeCursor(kind.name, at) };
}

function startOf({ cursor, kind }: ListOptions, buckets: readonly string[]): PagePosition {
  if (cursor !== undefined) return decodeCursor(cursor, { kind: kind.name, buckets });
  const [first] = buckets;
  assert(first !== undefined, 'a table has at least one bucket');
  return { bucket: first, rowKey: '' };
}

function nextBucket(buckets: readonly string[], bucket: string): PagePosition | undefined {
  const next = buckets[buckets.indexOf(bucket) + 1];
  return next === undefined ? undefined : { bucket: next, rowKey: '' };
}
