import { setTimeout as delay } from 'node:timers/promises';
import { type Clock, catalogKind, createHybridClock } from '@tandem/core';
import { createSeededRandomness } from '@tandem/core/memory';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAzureTableStore } from '../azure/azure-table-store.ts';
import { ARCHIVE_TABLE, createTableArchive } from '../tables/table-archive.ts';
import { type Azurite, startAzurite } from '../testing/start-azurite.ts';
import { createReplicatedTable } from '../write-path/create-replicated-table.ts';
import { createTableCatalogue, type TableCatalogue } from './table-catalogue.ts';

let azurite: Azurite;

beforeAll(async () => {
  azurite = await startAzurite();
});
afterAll(async () => azurite?.stop());

const clock: Clock = {
  nowMs: () => Date.now(),
  sleep: (durationMs) => delay(durationMs),
};

async function openCatalogue(writer: string): Promise<TableCatalogue> {
  const store = createAzureTableStore({ connectionString: azurite.connectionString });
  for (const table of [catalogKind.name, ARCHIVE_TABLE]) await store.createTable(table);
  const hybridClock = createHybridClock({
    region: 'east',
    writer,
    nowMs: () => clock.nowMs(),
    driftMsMax: 60_000,
  });
  const table = createReplicatedTable({
    kind: catalogKind,
    store,
    archive: createTableArchive({ store }),
    hybridClock,
    clock,
    randomness: createSeededRandomness(1),
    bucketCount: 1,
    peers: [],
    onCommitted: () => undefined,
  });
  return createTableCatalogue({ store, table, clock, keepMs: () => 3_600_000 });
}

test('over a real table store tables are made, found in any case, ended and brought back', async () => {
  const [one, other] = await Promise.all([openCatalogue('w1'), openCatalogue('w2')]);
  const names = ['Orders', 'OrdersOld', 'orders1'];
  const made = await Promise.all(names.flatMap((name) => [one.create(name), other.create(name)]));
  expect(made.filter(({ kind }) => kind === 'created')).toHaveLength(names.length);
  expect((await one.list()).map(({ key }) => key)).toEqual(['orders', 'orders1', 'ordersold']);
  expect(await one.generations('ORDERS')).toHaveLength(1);

  const found = (await other.find('orders'))!;
  const startedMs = clock.nowMs();
  await one.remove('Orders');
  expect(clock.nowMs() - startedMs).toBeGreaterThanOrEqual(2_990);
  expect(await other.confirm(found, 'east')).toBe(false);
  expect(await other.find('Orders')).toBeUndefined();
  expect(await other.restore('Orders')).toMatchObject({ generation: 1, rowsOf: 0 });
  expect((await one.find('Orders'))?.table.rowsOf).toBe(0);
}, 60_000);
