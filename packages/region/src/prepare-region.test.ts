import { BUCKET_COUNT_DEFAULT, catalogKind, otherRowsKind, rowsKind } from '@tandem/core';
import { createMemoryTableStore, createVirtualClock } from '@tandem/core/memory';
import {
  createTableRegionHold,
  readRecordedBucketCount,
  recordBucketCount,
  seedConfiguration,
  tandemSettings,
} from '@tandem/storage';
import { deviceKind } from '@tandem/storage/testing';
import { describe, expect, test } from 'vitest';
import { prepareRegion } from './prepare-region.ts';

const SETTINGS = {
  ServiceBusConnection: 'east.servicebus.example',
  RedundancyServiceBusConnection: 'west.servicebus.example',
  'Peer.Region': 'west',
};

async function setUp(values: Readonly<Record<string, string>> = SETTINGS) {
  const store = createMemoryTableStore();
  await seedConfiguration({ store, definitions: tandemSettings, values });
  const open = (environment: Readonly<Record<string, string>> = {}) =>
    prepareRegion({
      region: 'east',
      store,
      kinds: [deviceKind, catalogKind, rowsKind, otherRowsKind],
      clock: createVirtualClock(0),
      environment,
      refreshMs: 60_000,
      onRefreshFailed: () => undefined,
    });
  return { store, open };
}

describe('opening a region', () => {
  test('reads what its processes need, and makes its tables exist', async () => {
    const { store, open } = await setUp();
    const { settings } = await open();
    expect(settings).toMatchObject({
      dataAccess: 'multi-region',
      bucketCount: BUCKET_COUNT_DEFAULT,
      queue: 'customer',
      peers: [{ region: 'west', queue: 'customer' }],
      readiness: { lagMsMax: 15_000, waitMsMax: 600_000, heartbeatMsMax: 15_000 },
    });
    for (const table of ['Devices', 'Archive', 'Conflicts', 'Replication']) {
      expect(await store.query({ table, partitions: 'p', limit: 1 })).toEqual({ rows: [] });
    }
  });

  test.each(['Devices', 'Archive', 'Conflicts', 'Replication'])(
    'I14: holds a region whose table %s is gone, until it is proven whole',
    async (gone) => {
      const { store, open } = await setUp();
      await recordBucketCount(store, deviceKind, BUCKET_COUNT_DEFAULT);
      for (const table of ['Devices', 'Archive', 'Conflicts', 'Replication']) {
        if (table !== gone) await store.createTable(table);
      }
      await open();
      const { reason = '' } = (await createTableRegionHold({ store }).read()) ?? {};
      expect(reason).toContain(`Lost table: ${gone}.`);
    },
  );

  test('gives the catalogue of tables one bucket, and the rows of tables as many as they are set to', async () => {
    const { store, open } = await setUp({
      ...SETTINGS,
      'Tables.BucketCount': '8',
      'Rows.BucketCount': '12',
    });
    await open();
    expect(await readRecordedBucketCount(store, deviceKind)).toBe(8);
    expect(await readRecordedBucketCount(store, catalogKind)).toBe(1);
    expect(await readRecordedBucketCount(store, rowsKind)).toBe(12);
  });

  test('has a second space for rows where its buckets are set, and keeps it without', async () => {
    const { store, open } = await setUp();
    expect((await open()).settings.otherRowsBucketCount).toBeUndefined();
    const asked = { table: otherRowsKind.name, partitions: '00', limit: 1 };
    await expect(store.query(asked)).rejects.toMatchObject({ code: 'TABLE_MISSING' });
    await open({ ROWS2_BUCKET_COUNT: '7' });
    expect(await readRecordedBucketCount(store, otherRowsKind)).toBe(7);
    expect((await open()).settings.otherRowsBucketCount).toBe(7);
    await expect(open({ ROWS2_BUCKET_COUNT: '8' })).rejects.toMatchObject({
      code: 'CONFIGURATION_INVALID',
    });
  });

  test('holds no region that is new, or whose tables are there', async () => {
    const { store, open } = await setUp();
    await open();
    await open();
    expect(await createTableRegionHold({ store }).read()).toBeUndefined();
  });

  test('can be repeated, but never with another number of buckets', async () => {
    const { open } = await setUp();
    await open();
    await open();
    await expect(open({ TABLES_BUCKET_COUNT: '8' })).rejects.toMatchObject({
      code: 'CONFIGURATION_INVALID',
      details: { asked: 8, recorded: String(BUCKET_COUNT_DEFAULT) },
    });
  });

  test('makes no tables where data is kept in memory', async () => {
    const { store, open } = await setUp({ 'Customer.DataAccess': 'memory' });
    expect((await open()).settings).toMatchObject({ dataAccess: 'memory', peers: [] });
    await expect(
      store.query({ table: 'Devices', partitions: 'p', limit: 1 }),
    ).rejects.toMatchObject({
      code: 'TABLE_MISSING',
    });
  });

  test('refuses a region that is its own peer', async () => {
    const { open } = await setUp({ ...SETTINGS, 'Peer.Region': 'east' });
    await expect(open()).rejects.toMatchObject({ code: 'CONFIGURATION_INVALID' });
  });
});
