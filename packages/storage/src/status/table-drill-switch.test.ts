import type { DrillSwitch } from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { expect, test } from 'vitest';
import { createFaultyStore } from '../testing/faulty-store.ts';
import { createTableDrillSwitch } from './table-drill-switch.ts';
import { REPLICATION_TABLE } from './table-replication-status.ts';

const NOW_MS = Date.UTC(2026, 10, 22);

async function createSwitch(): Promise<DrillSwitch> {
  return (await createSwitchOver()).drill;
}

async function createSwitchOver() {
  const store = createFaultyStore(createMemoryTableStore());
  await store.createTable(REPLICATION_TABLE);
  return { store, drill: createTableDrillSwitch({ store }) };
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

test('a drill that is over stays as it ended, and one that nobody ordered cannot be ended', async () => {
  const drill = await createSwitch();
  await drill.end('a', NOW_MS);
  expect(await drill.read()).toBeUndefined();
  await drill.begin({ id: 'a', untilMs: NOW_MS + 60_000 }, NOW_MS);
  await drill.end('a', NOW_MS + 60_000);
  await drill.end('a', NOW_MS + 70_000);
  expect(await drill.read()).toEqual({ id: 'a', untilMs: NOW_MS + 60_000 });
});

test.each(['first', 'next'])(
  'of two that begin the %s drill at once one is told that it is taken',
  async (which) => {
    const { store, drill } = await createSwitchOver();
    if (which === 'next') await drill.begin({ id: 'z', untilMs: NOW_MS }, NOW_MS - 1);
    store.beforeCommit(async () => {
      store.beforeCommit(() => undefined);
      expect(await drill.begin({ id: 'b', untilMs: NOW_MS + 60_000 }, NOW_MS)).toBe('begun');
    });
    expect(await drill.begin({ id: 'a', untilMs: NOW_MS + 60_000 }, NOW_MS)).toBe('taken');
    expect(await drill.read()).toMatchObject({ id: 'b' });
  },
);

test.each([
  { id: 'a' },
  { until: new Date(NOW_MS + 60_000).toISOString() },
  { id: 'a', until: 'for ever' },
])('an order that nobody can read (%j) is none, and the next takes its place', async (texts) => {
  const { store, drill } = await createSwitchOver();
  const properties = new Map(
    Object.entries(texts).map(([name, value]) => [name, { type: 'String' as const, value }]),
  );
  const operations = [{ kind: 'insert' as const, rowKey: 'drill', properties }];
  await store.commit({ table: REPLICATION_TABLE, partitionKey: 'status', operations });
  expect(await drill.read()).toBeUndefined();
  await drill.end('a', NOW_MS);
  expect(await drill.begin({ id: 'b', untilMs: NOW_MS + 5 }, NOW_MS)).toBe('begun');
  expect(await drill.read()).toEqual({ id: 'b', untilMs: NOW_MS + 5 });
});
