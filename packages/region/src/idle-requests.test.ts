// What the tables of a region are asked for, counted: while nothing happens, and by writes to one table and to many.
import type { TableStore } from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { describe, expect, test } from 'vitest';
import { createWorld, drive, regionOf, type World } from './testing/memory-world.ts';

const IDLE_SECONDS = 60;
const WARM_UP_MS = 30_000;
const WRITERS = 64;
const WRITES = 3_840;
/** A busy machine takes its time; nothing here is measured by it. */
const SLOW_MS = 120_000;

interface Counted {
  readonly store: TableStore;
  readonly requests: string[];
}

function countedStore(): Counted {
  const inner = createMemoryTableStore();
  const requests: string[] = [];
  const store: TableStore = {
    createTable: (table) => inner.createTable(table),
    get: (...key) => (requests.push(`get ${key.join('/')}`), inner.get(...key)),
    commit(transaction) {
      const { table, partitionKey, operations } = transaction;
      requests.push(`commit ${table}/${partitionKey}/${operations[0]?.rowKey}`);
      return inner.commit(transaction);
    },
    query: (range) => (requests.push(`query ${range.table}`), inner.query(range)),
    timeMs: () => (requests.push('time'), inner.timeMs()),
  };
  return { store, requests };
}

async function openCounted(world: World) {
  const { store, requests } = countedStore();
  const east = regionOf(world, { region: 'east', peer: 'west', store });
  const west = regionOf(world, { region: 'west', peer: 'east' });
  await drive(world, Promise.all([east.region.open(), west.region.open()]));
  const createTables = async (count: number): Promise<void> => {
    const names = Array.from({ length: count }, (_, nth) => `Table${nth}`);
    await drive(world, Promise.all(names.map((name) => east.region.catalogue.create(name))));
  };
  const countFor = async (ms: number): Promise<number> => {
    requests.length = 0;
    await world.clock.advance(ms);
    return requests.length;
  };
  const stop = () => drive(world, Promise.all([east.region.stop(), west.region.stop()]));
  return { region: east.region, requests, createTables, countFor, stop };
}

describe('what a region asks its tables for', () => {
  test(
    '500 idle tables cost what one does',
    async () => {
      const idleWith = async (tables: number): Promise<number> => {
        const world = createWorld();
        const { createTables, countFor, stop } = await openCounted(world);
        await createTables(tables);
        await world.clock.advance(WARM_UP_MS);
        const counted = await countFor(IDLE_SECONDS * 1_000);
        await stop();
        return counted / IDLE_SECONDS;
      };
      const [one, many] = [await idleWith(1), await idleWith(500)];
      expect(many).toBeLessThan(one * 1.05);
    },
    SLOW_MS,
  );

  test.each([1, 20])(
    'a write among 64 costs at most 0.3 requests with %i tables',
    async (tables) => {
      const world = createWorld();
      const { region, createTables, countFor, requests, stop } = await openCounted(world);
      await createTables(tables);
      await world.clock.advance(WARM_UP_MS);
      const idle = (await countFor(60_000)) / 60_000;
      const opened = Array.from({ length: tables }, (_, nth) => region.openTable(`Table${nth}`));
      const write = async (writer: number): Promise<void> => {
        for (let nth = writer; nth < WRITES; nth += WRITERS) {
          const key = { partitionKey: `p${nth % WRITERS}`, rowKey: String(nth % 480) };
          await opened[nth % tables]?.put(key, new Map([['n', { type: 'Int32', value: nth }]]));
        }
      };
      const all = () => Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
      // What happens only once, such as reading rows that are not yet remembered, is not counted.
      await drive(world, all());
      await world.clock.advance(10_000);
      requests.length = 0;
      const startMs = world.clock.nowMs();
      await drive(world, all());
      await world.clock.advance(10_000);
      const ofWrites = requests.length - idle * (world.clock.nowMs() - startMs);
      expect(ofWrites / WRITES).toBeLessThan(0.3);
      await stop();
    },
  );
});
