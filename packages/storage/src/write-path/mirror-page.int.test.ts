import { setTimeout as delay } from 'node:timers/promises';
import {
  bucketNames,
  type Clock,
  createHybridClock,
  type FieldValue,
  openTableId,
  rowsKind,
  type TableStore,
  TransientError,
} from '@tandem/core';
import { createSeededRandomness } from '@tandem/core/memory';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAzureTableStore } from '../azure/azure-table-store.ts';
import { createOpenTable } from '../read/open-table.ts';
import { REPLICATION_TABLE } from '../status/status-row.ts';
import { createMirrorRecord } from '../status/table-records.ts';
import { ARCHIVE_TABLE, createTableArchive } from '../tables/table-archive.ts';
import { type Azurite, startAzurite } from '../testing/start-azurite.ts';
import { createStateTable } from './create-replicated-table.ts';
import { mirrorChanges, mirrorPage } from './mirror-page.ts';

let azurite: Azurite;

beforeAll(async () => {
  azurite = await startAzurite();
});
afterAll(async () => azurite?.stop());

const clock: Clock = { nowMs: () => Date.now(), sleep: (durationMs) => delay(durationMs) };
const tableId = openTableId('events', '0000');
const mirror = { home: 'east', to: 'shop', table: 'Mirrored', sinceMs: 1 };
const text = (value: string): FieldValue => ({ type: 'String', value });
const VALUES = new Map<string, FieldValue>([
  ['large', { type: 'Int64', value: 2n ** 63n - 1n }],
  ['whole', { type: 'Double', value: 5 }],
  ['when', { type: 'DateTime', value: '2026-12-01T02:29:48.1234567Z' }],
  ['bytes', { type: 'Binary', value: new Uint8Array([0, 255, 10]) }],
  ['who', { type: 'Guid', value: '6f9619ff-8b86-d011-b42d-00cf4fc964ff' }],
  ['yes', { type: 'Boolean', value: false }],
  ['text', { type: 'String', value: "it's ä" }],
]);

test('a mirror has every property with its type, goes on after a crash, and follows writes, deletions and transactions', async () => {
  const store = createAzureTableStore({ connectionString: azurite.connectionString });
  for (const table of [rowsKind.name, ARCHIVE_TABLE, REPLICATION_TABLE]) {
    await store.createTable(table);
  }
  const common = {
    kind: rowsKind,
    store,
    clock,
    randomness: createSeededRandomness(1),
    bucketCount: 4,
  };
  const states = createStateTable({
    ...common,
    archive: createTableArchive({ store }),
    hybridClock: createHybridClock({
      region: 'east',
      writer: 'aaaaaaaa',
      nowMs: () => clock.nowMs(),
      driftMsMax: 60_000,
    }),
    peers: [],
    wireVersion: 7,
    onCommitted: () => undefined,
  });
  const ours = createOpenTable({ ...common, states, tableId });
  const record = createMirrorRecord({ store, tableId });
  const pass = async (to: TableStore = store): Promise<void> => {
    const leasedUntilMs = clock.nowMs() + 600_000;
    const page = { ours, tableId, store: to, writes: to, mirror, record, clock, leasedUntilMs };
    while (!(await mirrorPage(page)).isLast);
  };
  const expectEqual = async (): Promise<void> => {
    const own = (await ours.query()).records.map((row) => [
      row.partitionKey,
      row.rowKey,
      row.values,
    ]);
    const page = await store.query({
      table: mirror.table,
      partitions: { from: '', before: '\uffff' },
      limit: 1_000,
    });
    expect(page.rows.map((row) => [row.partitionKey, row.rowKey, row.properties])).toEqual(own);
  };

  const partitions = ['a b', 'a!b', 'p', "o'k"];
  for (const partitionKey of partitions) {
    const rows = ['1', '2 x', '3'].map((rowKey) => ({ partitionKey, rowKey, values: VALUES }));
    await ours.transact(rows.map((row) => ({ ...row, kind: 'put' as const })));
  }
  let commits = 0;
  const crashing: TableStore = {
    ...store,
    async commit(transaction) {
      if (transaction.table === mirror.table) commits += 1;
      if (commits > 2) throw new TransientError('TABLE_UNAVAILABLE', 'It is gone.');
      return store.commit(transaction);
    },
  };
  await expect(pass(crashing)).rejects.toThrow('It is gone.');
  await pass();
  await expectEqual();
  await ours.remove({ partitionKey: 'p', rowKey: '1' });
  await ours.merge({ partitionKey: 'a b', rowKey: '3' }, new Map([['text', null]]));
  await ours.transact([
    { kind: 'remove', partitionKey: 'a!b', rowKey: '2 x' },
    { kind: 'put', partitionKey: 'a!b', rowKey: '4', values: VALUES },
  ]);
  await pass();
  await expectEqual();
  const seen = await record.look();
  expect(seen).toMatchObject({
    kind: 'value',
    value: { rows: 11, passes: 2, refused: 0, deleted: 2 },
  });

  // Behind a pass, by what the store says was written since.
  const writtenFromMs = ((await store.timeMs()) ?? 0) + 1_000;
  await delay(2_000);
  await ours.put({ partitionKey: "o'k", rowKey: '2 x' }, new Map(VALUES).set('text', text('anew')));
  await ours.insert({ partitionKey: "o'k", rowKey: '5' }, VALUES);
  await ours.remove({ partitionKey: 'p', rowKey: '3' });
  await ours.remove({ partitionKey: 'a b', rowKey: '1' });
  const follow = async () => {
    const buckets = bucketNames(common.bucketCount);
    let left: ReadonlyMap<string, string | undefined> = new Map(
      buckets.map((bucket) => [bucket, undefined]),
    );
    const total = { compared: 0, settled: 0, gained: 0 };
    while (left.size > 0) {
      const page = await mirrorChanges({
        rows: common,
        tableId,
        writtenFromMs,
        left,
        store,
        writes: store,
        leasedUntilMs: clock.nowMs() + 600_000,
        mirror,
        clock,
      });
      expect(page.refusal).toBeUndefined();
      ({ left } = page);
      for (const name of ['compared', 'settled', 'gained'] as const) total[name] += page[name];
    }
    return total;
  };
  expect(await follow()).toEqual({ compared: 4, settled: 4, gained: -1 });
  await expectEqual();
  expect(await follow()).toEqual({ compared: 4, settled: 0, gained: 0 });
});
