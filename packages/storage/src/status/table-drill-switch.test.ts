import type { DrillSwitch } from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { expect, test } from 'vitest';
import { createTableDrillSwitch } from './table-drill-switch.ts';
import { REPLICATION_TABLE } from './table-replication-status.ts';

const NOW_MS = Date.UTC(2026, 10, 22);

async function createSwitch(): Promise<DrillSwitch> {
  const store = createMemoryTableStore();
  await store.createTable(REPLICATION_TABLE);
  return createTableDrillSwitch({ store });
}

test('an order is there until it is ended, and only by its own id', async () => {
  const drill = await createSwitch();
  expect(await drill.read()).toBeUndefined();
  const order = { id: 'a', untilMs: NOW_MS + 60_000 };
  expect(await drill.begin(order, NOW_MS)).toBe('begun');
  await drill.end('b', NOW_MS + 1);
  expect(await drill.read()).toEqual(order);
  await drill.end('a', NOW_MS + 2);
  await drill.end('a', NOW_MS + 3);
  expect(await drill.read()).toEqual({ id: 'a', untilMs: NOW_MS + 2 });
});

test('one drill at a time; the same one may be prolonged, and one that is over replaced', async () => {
  const drill = await createSwitch();
  await drill.begin({ id: 'a', untilMs: NOW_MS + 60_000 }, NOW_MS);
  expect(await drill.begin({ id: 'b', untilMs: NOW_MS + 60_000 }, NOW_MS)).toBe('taken');
  expect(await drill.begin({ id: 'a', untilMs: NOW_MS + 90_000 }, NOW_MS)).toBe('begun');
  expect(await drill.begin({ id: 'b', untilMs: NOW_MS + 99_000 }, NOW_MS + 90_000)).toBe('begun');
});
