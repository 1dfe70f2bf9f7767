import { createMemoryTableStore } from '@tandem/core/memory';
import { expect, test } from 'vitest';
import { createTableRegionHold } from './table-region-hold.ts';
import { REPLICATION_TABLE } from './table-replication-status.ts';

test('a hold is there until it is released, and releasing can be repeated', async () => {
  const store = createMemoryTableStore();
  await store.createTable(REPLICATION_TABLE);
  const hold = createTableRegionHold({ store });
  expect(await hold.read()).toBeUndefined();
  await hold.set({ reason: 'is rebuilt', sinceMs: 5 });
  expect(await hold.read()).toEqual({ reason: 'is rebuilt', sinceMs: 5 });
  await hold.release();
  await hold.release();
  expect(await hold.read()).toBeUndefined();
});

test('a hold that nobody can read holds all the same', async () => {
  const store = createMemoryTableStore();
  await store.createTable(REPLICATION_TABLE);
  const operations = [{ kind: 'insert' as const, rowKey: 'hold', properties: new Map() }];
  await store.commit({ table: REPLICATION_TABLE, partitionKey: 'status', operations });
  expect(await createTableRegionHold({ store }).read()).toBeDefined();
});
