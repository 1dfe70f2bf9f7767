import type { Outbox, RowRange } from '@tandem/core';
import { createMemoryBus, createMemoryTableStore, createVirtualClock } from '@tandem/core/memory';
import { describe, expect, test } from 'vitest';
import { createMemoryReplicator } from '../testing/memory-replicator.ts';
import { createBusyOutboxes } from './duties/queue-duties.ts';

const outboxOf = (entityKind: string): Outbox => ({
  entityKind,
  buckets: ['00'],
  scan: async () => ({ entries: [], unreadable: [], aside: [] }),
  remove: async () => undefined,
  park: async () => undefined,
  settle: async () => 'gone',
});

async function setUp() {
  const inner = createMemoryTableStore();
  await inner.createTable('Catalog');
  const asked: RowRange[] = [];
  const store = {
    query: (range: RowRange) => {
      asked.push(range);
      return inner.query(range);
    },
  };
  const clock = createVirtualClock(Date.UTC(2026, 0, 1));
  const names = ['Customers', 'Catalog', 'Rows', 'LocalRows'];
  const outboxes = new Map(names.map((name) => [name, outboxOf(name)]));
  const findBusy = createBusyOutboxes({ store, clock, outboxes });
  return {
    asked,
    clock,
    busy: async () => (await findBusy()).map(({ entityKind }) => entityKind),
    write: (rowKey: string) =>
      inner.commit({
        table: 'Catalog',
        partitionKey: '00',
        operations: [{ kind: 'insert', rowKey, properties: new Map() }],
      }),
  };
}

describe('the outboxes that a sweep reads', () => {
  test('are those of its owner alone while the catalogue has no record, for one question a pass', async () => {
    const { asked, busy, write } = await setUp();
    // A row of the system, such as an outbox row, is none of a table.
    await write('~probe');
    expect(await busy()).toEqual(['Customers']);
    expect(await busy()).toEqual(['Customers']);
    expect(asked).toHaveLength(2);
  });

  test('are all from the first record on, and nothing is asked any more', async () => {
    const { asked, busy, write } = await setUp();
    await write('orders=7E0000');
    expect(await busy()).toEqual(['Customers', 'Catalog', 'Rows', 'LocalRows']);
    expect(await busy()).toEqual(['Customers', 'Catalog', 'Rows']);
    expect(asked).toHaveLength(1);
  });

  test('are those of what is not replicated every half a minute', async () => {
    const { busy, clock, write } = await setUp();
    await write('orders=7E0000');
    let local = 0;
    for (let second = 0; second < 120; second += 1) {
      if ((await busy()).includes('LocalRows')) local += 1;
      await clock.advance(1_000);
    }
    expect(local).toBe(4);
  });
});

/** Counts the questions to partitions in a minute in which nobody writes, by the table that is asked. */
async function countIdle(hasTable: boolean): Promise<ReadonlyMap<string, number>> {
  const clock = createVirtualClock(Date.UTC(2026, 0, 1));
  const bus = createMemoryBus({ clock, lockDurationMs: 60_000, deliveryCountMax: 3 });
  const inner = createMemoryTableStore();
  const counts = new Map<string, number>();
  const store = {
    ...inner,
    query: (range: RowRange) => {
      counts.set(range.table, (counts.get(range.table) ?? 0) + 1);
      return inner.query(range);
    },
  };
  const east = await createMemoryReplicator({ region: 'east', clock, bus, store });
  if (hasTable) await east.catalogue.create('Orders');
  await east.process.start();
  await clock.advance(10_000);
  counts.clear();
  await clock.advance(60_000);
  return counts;
}

test('a region without a table of clients costs as much as its own kinds', async () => {
  const [idle, used] = [await countIdle(false), await countIdle(true)];
  const passes = (idle.get('Customers') ?? 0) / 2;
  expect(passes).toBeGreaterThan(20);
  expect(idle.get('Rows') ?? 0).toBe(0);
  expect(idle.get('LocalRows') ?? 0).toBe(0);
  // Besides, it is looked a few times a minute whether a table is taken over.
  expect(idle.get('Catalog')).toBeLessThanOrEqual(passes + 8);
  expect((used.get('Rows') ?? 0) / 16).toBeGreaterThan(20);
});
