import { createMemoryTableStore } from '@tandem/core/memory';
import { expect, test } from 'vitest';
import { recordBucketCount } from './configuration-table.ts';

const devices = { name: 'Devices' };

test('the first count is recorded, and the same one is accepted ever after', async () => {
  const store = createMemoryTableStore();
  await recordBucketCount(store, devices, 16);
  await expect(recordBucketCount(store, devices, 16)).resolves.toBeUndefined();
});

test('another count is refused with both numbers', async () => {
  const store = createMemoryTableStore();
  await recordBucketCount(store, devices, 16);
  const second = recordBucketCount(store, devices, 32);
  await expect(second).rejects.toMatchObject({ code: 'CONFIGURATION_INVALID' });
  await expect(second).rejects.toThrow(/^32 .* 16 /);
});

test('each kind has its own', async () => {
  const store = createMemoryTableStore();
  await recordBucketCount(store, devices, 16);
  await recordBucketCount(store, { name: 'Orders' }, 32);
  await expect(recordBucketCount(store, devices, 16)).resolves.toBeUndefined();
});

test('of two that start at once with different counts one is refused', async () => {
  const store = createMemoryTableStore();
  const results = await Promise.allSettled([
    recordBucketCount(store, devices, 16),
    recordBucketCount(store, devices, 32),
  ]);
  expect(results.map((result) => result.status).sort()).toEqual(['fulfilled', 'rejected']);
});
