import { RECOVERY_LEASE_MS } from '@tandem/core';
import { CONFIGURATION_TABLE, createTableLease, REPLICATION_TABLE } from '@tandem/storage';
import { emptyTable } from '@tandem/storage/testing';
import { expect, test } from 'vitest';
import { createCliHarness } from './testing/cli-harness.ts';

test('regions with different numbers of buckets are compared by no command', async () => {
  const { regions, run } = await createCliHarness('north');
  const properties = new Map([['value', { type: 'String' as const, value: '8' }]]);
  const operation = {
    kind: 'upsert',
    rowKey: 'Recorded.BucketCount.Customers',
    properties,
  } as const;
  await regions.west.store.commit({
    table: CONFIGURATION_TABLE,
    partitionKey: CONFIGURATION_TABLE,
    operations: [operation],
  });
  for (const args of [
    ['verify'],
    ['repair'],
    ['history', '00b479c9-f61f-451a-86d2-ee8cc047c180'],
  ]) {
    const refused = await run(...args);
    expect(refused).toMatchObject({ code: 2, json: { error: { code: 'USAGE' } } });
    expect(refused.err).toContain('different numbers of buckets (east 4, west 8, north 4)');
  }
  // One of them alone is compared with none.
  expect(await run('conflicts', 'list', '--region', 'west')).toMatchObject({ code: 0 });
});

test('a region without tables of ours is asked nothing of its rows', async () => {
  const { regions, run } = await createCliHarness();
  await emptyTable(regions.west.store, CONFIGURATION_TABLE);
  for (const args of [['verify'], ['at-risk', '--region', 'west']]) {
    const refused = await run(...args);
    expect(refused.code).toBe(2);
    expect(refused.err).toContain('The region west has no tables of ours');
  }
  expect(await run('messages', 'list', '--region', 'west')).toMatchObject({ code: 0 });
});

test('a region that the inventory does not name is refused with those that it names', async () => {
  const { run } = await createCliHarness('north');
  const refused = await run('config', 'check', '--region', 'nowhere');
  expect(refused.code).toBe(2);
  expect(refused.err).toContain(
    'There is no region "nowhere" in the inventory; there is east, west, north.',
  );
});

test('a command counts what it asked of each region', async () => {
  const { run } = await createCliHarness('north');
  const { json } = await run('verify');
  expect(json['requests']).toEqual({
    east: expect.any(Number),
    west: expect.any(Number),
    north: expect.any(Number),
  });
});

test('nobody recovers a region that someone else recovers', async () => {
  const { regions, run } = await createCliHarness();
  const { store } = regions.west;
  const { clock } = regions;
  await store.createTable(REPLICATION_TABLE);
  const lease = createTableLease({ store, clock, name: 'recovery', holder: 'someone' });
  expect(await lease.acquire(RECOVERY_LEASE_MS)).toBe(true);
  const refused = await run('repair', '--apply');
  expect(refused).toMatchObject({ code: 6, json: { error: { code: 'RECOVERY_BUSY' } } });
  await lease.release();
  expect(await run('repair', '--apply')).toMatchObject({ code: 0 });
});
