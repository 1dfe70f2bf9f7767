import { bucketOf, stampTimeMs, type TableStore } from '@tandem/core';
import { describe, expect, test } from 'vitest';
import { encodeRowKey } from '../rows/row-key.ts';
import { deviceKind } from '../testing/device-kind.ts';
import { MEMORY_BUCKET_COUNT, type MemoryRegion } from '../testing/memory-region.ts';
import { createTwoRegions } from '../testing/two-regions.ts';
import { collectTombstones } from './collect-tombstones.ts';

type Region = MemoryRegion<typeof deviceKind>;

const FAR_MS = Date.UTC(2027, 0, 1);

function collect(
  { store }: Pick<Region, 'store'>,
  horizonMs = FAR_MS,
  signal?: AbortSignal,
): Promise<number> {
  const options = { store, kind: deviceKind, bucketCount: MEMORY_BUCKET_COUNT, horizonMs };
  return collectTombstones({ ...options, ...(signal === undefined ? {} : { signal }) });
}

async function isThere(store: TableStore, id: string): Promise<boolean> {
  const bucket = bucketOf(id, MEMORY_BUCKET_COUNT);
  return (await store.get(deviceKind.name, bucket, encodeRowKey(id))) !== undefined;
}

async function createDeleted(...ids: readonly string[]) {
  const regions = await createTwoRegions(deviceKind);
  const { east } = regions;
  for (const id of ids) {
    await east.table.put(id, { label: id });
    await east.table.remove(id);
  }
  await regions.settle();
  return regions;
}

describe('collecting tombstones', () => {
  test('I1: leaves an entity that is made again between the look and the deletion', async () => {
    const { east } = await createDeleted('a');
    const other = east.openTable();
    east.store.beforeCommit(async ({ operations: [first] }) => {
      if (first?.kind !== 'delete') return;
      east.store.beforeCommit(() => undefined);
      await other.put('a', { label: 'made again' });
    });
    expect(await collect(east)).toBe(0);
    expect((await other.get('a'))?.entity.label).toBe('made again');
    expect(await isThere(east.store, 'a')).toBe(true);
  });

  test('takes what was stamped before the horizon, and nothing that was stamped at it', async () => {
    const { east } = await createDeleted('a');
    const deletion = east.committed.at(-1)?.set.stamp;
    if (deletion === undefined) throw new Error('Nothing was deleted.');
    expect(await collect(east, stampTimeMs(deletion))).toBe(0);
    expect(await isThere(east.store, 'a')).toBe(true);
    expect(await collect(east, stampTimeMs(deletion) + 1)).toBe(1);
    expect(await isThere(east.store, 'a')).toBe(false);
  });

  test('leaves what lives, and what lives again', async () => {
    const regions = await createDeleted('again', 'gone');
    const { east } = regions;
    await east.table.put('live', { label: 'live' });
    await east.table.put('again', { label: 'again' });
    await regions.settle();
    expect(await collect(east)).toBe(1);
    for (const id of ['live', 'again']) expect(await east.table.get(id)).toBeDefined();
    expect(await isThere(east.store, 'gone')).toBe(false);
  });

  test('goes through every bucket, and through more than a page of one', async () => {
    const ids = Array.from({ length: 2_400 }, (_, n) => `device-${n}`);
    const perBucket = Map.groupBy(ids, (id) => bucketOf(id, MEMORY_BUCKET_COUNT));
    expect(Math.min(...[...perBucket.values()].map((own) => own.length))).toBeGreaterThan(500);
    const { east } = await createDeleted('first');
    // One row of ours, under as many keys: what counts is how it reads.
    const bucket = bucketOf('first', MEMORY_BUCKET_COUNT);
    const row = await east.store.get(deviceKind.name, bucket, 'first');
    for (const [partitionKey, own] of perBucket) {
      for (let at = 0; at < own.length; at += 100) {
        const operations = own.slice(at, at + 100).map((id) => ({
          kind: 'insert' as const,
          rowKey: encodeRowKey(id),
          properties: row?.properties ?? new Map(),
        }));
        await east.store.commit({ table: deviceKind.name, partitionKey, operations });
      }
    }
    expect(await collect(east)).toBe(ids.length + 1);
    for (const id of ids) expect(await isThere(east.store, id)).toBe(false);
  });

  test('finds what stands behind a page of rows that live', async () => {
    const { east } = await createDeleted('zz');
    const bucket = bucketOf('zz', MEMORY_BUCKET_COUNT);
    const ids = Array.from({ length: 4_000 }, (_, n) => `device-${n}`)
      .filter((id) => bucketOf(id, MEMORY_BUCKET_COUNT) === bucket)
      .slice(0, 600);
    expect(ids).toHaveLength(600);
    const [first = ''] = ids;
    await east.table.put(first, { label: first });
    const row = await east.store.get(deviceKind.name, bucket, encodeRowKey(first));
    for (let at = 1; at < ids.length; at += 100) {
      const operations = ids.slice(at, at + 100).map((id) => ({
        kind: 'insert' as const,
        rowKey: encodeRowKey(id),
        properties: row?.properties ?? new Map(),
      }));
      await east.store.commit({ table: deviceKind.name, partitionKey: bucket, operations });
    }
    expect(await collect(east)).toBe(1);
    expect(await isThere(east.store, 'zz')).toBe(false);
  });

  test('leaves the outbox alone', async () => {
    const regions = await createTwoRegions(deviceKind);
    const { east, bus } = regions;
    bus.setDown('west', true);
    await east.table.put('a', { label: 'a' });
    await east.table.remove('a');
    const options = { store: east.store, kind: deviceKind, bucketCount: MEMORY_BUCKET_COUNT };
    const onDamaged = ({ rowKey }: { readonly rowKey: string }) => expect.fail(rowKey);
    expect(await collectTombstones({ ...options, horizonMs: FAR_MS, onDamaged })).toBe(1);
    const bucket = bucketOf('a', MEMORY_BUCKET_COUNT);
    expect((await east.outbox.scan({ bucket, limit: 10 })).entries).toHaveLength(2);
  });

  test('names a row that is none of an entity, leaves it, and takes what stands behind it', async () => {
    const { east } = await createDeleted('b');
    const bucket = bucketOf('b', MEMORY_BUCKET_COUNT);
    const operations = [{ kind: 'insert' as const, rowKey: 'a', properties: new Map() }];
    await east.store.commit({ table: deviceKind.name, partitionKey: bucket, operations });
    const options = { store: east.store, kind: deviceKind, bucketCount: MEMORY_BUCKET_COUNT };
    const met: string[] = [];
    const onDamaged = ({ rowKey }: { readonly rowKey: string }) => void met.push(rowKey);
    expect(await collectTombstones({ ...options, horizonMs: FAR_MS, onDamaged })).toBe(1);
    expect(met).toEqual(['a']);
    expect(await east.store.get(deviceKind.name, bucket, 'a')).toBeDefined();
    expect(await collectTombstones({ ...options, horizonMs: FAR_MS })).toBe(0);
  });

  test('stops when it is told to', async () => {
    const { east } = await createDeleted('a', 'b');
    expect(await collect(east, FAR_MS, AbortSignal.abort())).toBe(0);
    expect(await isThere(east.store, 'a')).toBe(true);
    expect(await collect(east, FAR_MS, new AbortController().signal)).toBe(2);
  });

  test('stops behind the page that it is at', async () => {
    const { east, idsOf } = await createBucketOf('00', 501);
    for (const id of idsOf) await east.table.remove(id);
    const stopping = new AbortController();
    east.store.beforeCommit(() => stopping.abort());
    expect(await collect(east, FAR_MS, stopping.signal)).toBe(500);
  });

  test('I1: settles what they alone prove to be committed, before they go', async () => {
    const regions = await createTwoRegions(deviceKind, { east: { relaysAtOnce: false } });
    const { east, west, drive } = regions;
    const ids = idsIn('00', 100);
    const label = 'a';
    const all = { kind: 'put', entity: { label } } as const;
    await drive(east.table.transact(ids.map((entityId) => ({ ...all, entityId }))));
    await regions.clock.advance(PREPARED_MS);
    await regions.settle();
    await drive(east.table.transact(ids.map((entityId) => ({ kind: 'remove', entityId }))));
    expect(await collect(east)).toBe(100);
    await regions.clock.advance(PREPARED_MS);
    await regions.settle();
    for (const id of ids) expect(await drive(west.table.get(id))).toBeUndefined();
  });
});

/** Longer than a set may be on its way to be committed. */
const PREPARED_MS = 16_000;

function idsIn(bucket: string, count: number): readonly string[] {
  const ids: string[] = [];
  for (let n = 0; ids.length < count; n += 1) {
    if (bucketOf(`device-${n}`, MEMORY_BUCKET_COUNT) === bucket) ids.push(`device-${n}`);
  }
  return ids;
}

/** Returns a region with so many devices that live in one bucket. */
async function createBucketOf(bucket: string, count: number) {
  const { east } = await createTwoRegions(deviceKind, { east: { relaysAtOnce: false } });
  const idsOf = idsIn(bucket, count);
  for (const id of idsOf) await east.table.put(id, { label: id });
  return { east, idsOf };
}

describe('purging what is of a table that is gone', () => {
  const purge = async ({ store }: Region, keep?: string, signal?: AbortSignal) => {
    const gone: number[] = [];
    const collected = await collectTombstones({
      store,
      kind: deviceKind,
      bucketCount: MEMORY_BUCKET_COUNT,
      horizonMs: FAR_MS,
      purge: { isPurged: (id) => id !== keep, onPurged: (rows) => void gone.push(rows) },
      ...(signal === undefined ? {} : { signal }),
    });
    return { gone, collected };
  };

  test('takes rows alive or not, as many at a time as a transaction does, and none of another table', async () => {
    const { east, idsOf } = await createBucketOf('00', 251);
    const [first = '', second = ''] = idsOf;
    await east.table.remove(second);
    expect(await purge(east, first)).toEqual({ gone: [100, 100, 50], collected: 0 });
    expect(await isThere(east.store, first)).toBe(true);
    expect(await east.table.get(first)).toBeDefined();
    expect(await purge(east, first)).toEqual({ gone: [], collected: 0 });
  });

  test('counts nothing where one of them was written to meanwhile, and takes them the next time', async () => {
    const { east, idsOf } = await createBucketOf('00', 3);
    const other = east.openTable();
    east.store.beforeCommit(async () => {
      east.store.beforeCommit(() => undefined);
      await other.put(idsOf[1]!, { label: 'late' });
    });
    expect(await purge(east)).toEqual({ gone: [0], collected: 0 });
    expect(await isThere(east.store, idsOf[0]!)).toBe(true);
    expect(await purge(east)).toEqual({ gone: [3], collected: 0 });
  });

  test('stops between two transactions when it is told to', async () => {
    const { east } = await createBucketOf('00', 150);
    const stopping = new AbortController();
    east.store.beforeCommit(() => stopping.abort());
    expect(await purge(east, undefined, stopping.signal)).toEqual({ gone: [100], collected: 0 });
  });
});
