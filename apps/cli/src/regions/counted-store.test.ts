import type { TableStore } from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { expect, test } from 'vitest';
import { countRequests } from './region.ts';

const ASKS: readonly ((store: TableStore) => Promise<unknown>)[] = [
  (store) => store.createTable('Things'),
  (store) => store.get('Things', 'p', 'r'),
  (store) => store.query({ table: 'Things', partitions: 'p', limit: 1 }),
  (store) =>
    store.commit({
      table: 'Things',
      partitionKey: 'p',
      operations: [{ kind: 'insert', rowKey: 'r', properties: new Map() }],
    }),
];

test('every request to a region counts, and none is sent beyond the bound', async () => {
  const memory = createMemoryTableStore();
  const store = countRequests(memory, ASKS.length);
  for (const [index, ask] of ASKS.entries()) {
    await ask(store);
    expect(store.requests()).toBe(index + 1);
  }
  for (const ask of ASKS) {
    await expect(ask(store)).rejects.toMatchObject({
      code: 'RECOVERY_REFUSED',
      message: expect.stringContaining(`more than ${ASKS.length} requests`),
    });
  }
  store.beginRound();
  expect(store.requests()).toBe(0);
  expect(await store.get('Things', 'p', 'r')).toBeDefined();
  expect(store.requests()).toBe(1);
});
