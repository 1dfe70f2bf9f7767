import { bucketOf, type ChangeSet } from '@tandem/core';
import { applyToBucket } from '@tandem/core/testing';
import { beforeEach, describe, expect, test } from 'vitest';
import { deviceKind } from '../testing/device-kind.ts';
import { MEMORY_BUCKET_COUNT } from '../testing/memory-region.ts';
import { createTwoRegions, type TwoRegions } from '../testing/two-regions.ts';
import { createTableReplica } from './table-replica.ts';

const AGE_MS = 3_600_000;

let regions: TwoRegions<typeof deviceKind>;
let reads: string[];

beforeEach(async () => {
  regions = await createTwoRegions(deviceKind);
  reads = [];
  const { store } = regions.west;
  const { get } = store;
  Object.assign(store, {
    get: (...key: Parameters<typeof get>) => {
      if (key[0] === deviceKind.name) reads.push(key[2]);
      return get(...key);
    },
  });
});

describe('a replica that remembers rows', () => {
  test('applies first changes and changes of what it wrote itself without a read', async () => {
    const { east, west } = regions;
    await east.table.put('a', { label: 'one' });
    await regions.settle();
    await east.table.patch('a', { label: 'two' });
    await regions.settle();
    expect(reads).toEqual([]);
    expect((await west.table.get('a'))?.entity.label).toBe('two');
  });

  test('reads again where somebody else has written meanwhile, and merges', async () => {
    const { east, west } = regions;
    await east.table.put('a', { label: 'one' });
    await regions.settle();
    await regions.drive(west.table.patch('a', { restarts: 7 }));
    await regions.drive(east.table.patch('a', { label: 'two' }));
    await regions.settle();
    for (const { table } of [east, west]) {
      expect((await table.get('a'))?.entity).toMatchObject({ label: 'two', restarts: 7 });
    }
    expect(await west.journal.list(deviceKind.name, 10)).toHaveLength(1);
    expect(east.conflicts).toHaveLength(1);
  });

  test('reads what is there, though another version has the same ETag', async () => {
    const { store, table } = regions.west;
    const get: typeof store.get = async (...key) => {
      const row = await store.get(...key);
      return row && { ...row, etag: 'of two versions' };
    };
    const kind = { kind: deviceKind, bucketCount: MEMORY_BUCKET_COUNT };
    const replica = createTableReplica({ store: { ...store, get }, ...kind });
    for (const value of ['one', 'two']) {
      await regions.drive(table.put('a', { label: value }));
      const rows = await replica.read(bucketOf('a', MEMORY_BUCKET_COUNT), ['a']);
      expect(rows.get('a')?.state.fields.get('label')?.value).toEqual({ type: 'String', value });
    }
  });

  test('takes nothing but a plain write from memory: what it takes for a duplicate it looks at', async () => {
    const { east, west } = regions;
    await east.table.put('a', { label: 'one' });
    await regions.settle();
    const { set } = east.committed[0] as { readonly set: ChangeSet };
    const { store } = west;
    const kind = { store, kind: deviceKind, bucketCount: MEMORY_BUCKET_COUNT };
    const replica = createTableReplica(kind);
    const options = {
      region: 'west',
      conflicts: west.journal,
      clock: regions.clock,
      tombstoneAgeMs: AGE_MS,
      store,
      driftMsMax: 60_000,
    };
    await replica.read(set.bucket, ['a']);
    const bucket = bucketOf('a', MEMORY_BUCKET_COUNT);
    const row = await store.get(deviceKind.name, bucket, 'a');
    const operations = [{ kind: 'delete', rowKey: 'a', etag: row!.etag } as const];
    await store.commit({ table: deviceKind.name, partitionKey: bucket, operations });
    await applyToBucket([set], replica, options);
    expect(await store.get(deviceKind.name, bucket, 'a')).toBeDefined();
  });

  test('I1: refuses nothing by a clock that was set right since it judged', async () => {
    const { east, west, clock } = regions;
    await east.table.put('a', { label: 'fresh' });
    const { set } = east.committed[0] as { readonly set: ChangeSet };
    const { store } = west;
    const replica = createTableReplica({
      store,
      kind: deviceKind,
      bucketCount: MEMORY_BUCKET_COUNT,
    });
    let skewMs = 2 * AGE_MS;
    const options = {
      region: 'west',
      conflicts: west.journal,
      clock: { ...clock, nowMs: () => clock.nowMs() + skewMs },
      tombstoneAgeMs: AGE_MS,
      store: {
        timeMs: () => {
          skewMs = 0;
          return store.timeMs();
        },
      },
      driftMsMax: 60_000,
    };
    await expect(applyToBucket([set], replica, options)).rejects.toMatchObject({
      code: 'CLOCK_AHEAD',
    });
    expect([...(await applyToBucket([set], replica, options))]).toEqual([]);
    expect(await store.get(deviceKind.name, set.bucket, 'a')).toBeDefined();
  });
});
