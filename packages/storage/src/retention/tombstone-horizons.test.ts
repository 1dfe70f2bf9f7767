import {
  catalogKind,
  createApplier,
  createHybridClock,
  encodeChangeSet,
  openTableId,
  rowsKind,
  type TableSettings,
  TransientError,
} from '@tandem/core';
import {
  createMemoryTableStore,
  createSeededRandomness,
  createVirtualClock,
  driveVirtualTime,
} from '@tandem/core/memory';
import { describe, expect, test } from 'vitest';
import { createTableCatalogue } from '../catalogue/table-catalogue.ts';
import { createOpenTable } from '../read/open-table.ts';
import { createTableArchiveKeeper } from '../recovery/archive-keeper.ts';
import { createTableArchive } from '../tables/table-archive.ts';
import { createTableConflictJournal } from '../tables/table-conflict-journal.ts';
import { createTableReplica } from '../tables/table-replica.ts';
import { createReplicatedTable, createStateTable } from '../write-path/create-replicated-table.ts';
import {
  collectTombstones,
  createTombstoneHorizons,
  takeTombstoneTurn,
} from './collect-tombstones.ts';
import {
  checkHorizonRow,
  createHorizonRecord,
  createHorizonRows,
  HORIZON_PARTITION,
} from './horizon-rows.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const START_MS = Date.UTC(2026, 0, 1);
const REGION_AGE_MS = 90 * DAY_MS;
const BUCKETS = 2;
const KEY = { partitionKey: 'p', rowKey: 'r' };
const ID = openTableId('orders', '0000');
const EVENTS_ID = openTableId('events', '0000');

async function createRegion(region: string) {
  const clock = createVirtualClock(START_MS);
  const store = createMemoryTableStore();
  for (const table of [rowsKind.name, 'Catalog', 'Archive', 'Conflicts', 'Replication']) {
    await store.createTable(table);
  }
  const hybridClock = createHybridClock({
    region,
    writer: 'w0000001',
    nowMs: () => clock.nowMs(),
    driftMsMax: 60_000,
  });
  const parts = {
    store,
    archive: createTableArchive({ store }),
    hybridClock,
    clock,
    randomness: createSeededRandomness(1),
    peers: ['peer'],
  };
  const sent: { readonly key: string; readonly encoded: Uint8Array; readonly set: never }[] = [];
  const rows = {
    ...parts,
    kind: rowsKind,
    bucketCount: BUCKETS,
    onCommitted: ({ set }: { set: { readonly stamp: string } }) =>
      void sent.push({ key: set.stamp, set: set as never, encoded: encodeChangeSet(set as never) }),
  };
  const catalogue = createTableCatalogue({
    store,
    clock,
    table: createReplicatedTable({
      ...parts,
      kind: catalogKind,
      bucketCount: 1,
      onCommitted: () => undefined,
    }),
    keepMs: () => DAY_MS,
  });
  const tombstones = createTombstoneHorizons({ store, entityKind: rowsKind.name });
  const applier = createApplier({
    region,
    regions: new Set(['east', 'west']),
    replicas: new Map([
      [rowsKind.name, createTableReplica({ store, kind: rowsKind, bucketCount: BUCKETS })],
    ]),
    archive: parts.archive,
    conflicts: createTableConflictJournal({ store, kinds: [rowsKind], bucketCount: BUCKETS }),
    clock,
    hybridClock,
    tombstoneAgeMs: REGION_AGE_MS,
    tombstones: new Map([[rowsKind.name, tombstones]]),
    store,
    driftMsMax: 60_000,
  });
  /** A turn of the duty; resolves with how many went. */
  const collect = async (passedMs: number): Promise<number> => {
    const horizonMs = Math.min(clock.nowMs(), passedMs) - REGION_AGE_MS;
    const tables = await driveVirtualTime(
      clock,
      takeTombstoneTurn({
        store,
        entityKind: rowsKind.name,
        clock,
        passedMs: [passedMs],
        horizonMs,
        driftMsMax: 60_000,
      }),
    );
    return collectTombstones({ store, kind: rowsKind, bucketCount: BUCKETS, horizonMs, tables });
  };
  return {
    store,
    clock,
    sent,
    catalogue,
    tombstones,
    collect,
    orders: createOpenTable({ ...rows, states: createStateTable(rows), tableId: ID }),
    events: createOpenTable({ ...rows, states: createStateTable(rows), tableId: EVENTS_ID }),
    apply: (...sets: (typeof sent)[number][]) => applier.apply(sets),
  };
}

async function createTwo(settings: TableSettings) {
  const [east, west] = [await createRegion('east'), await createRegion('west')];
  for (const { catalogue } of [east, west]) await catalogue.create('Orders', settings);
  return { east, west };
}

describe('how far back a table goes', () => {
  const setUp = async () => {
    const store = createMemoryTableStore();
    await store.createTable('Archive');
    const rows = createHorizonRows({ store, table: 'Archive' });
    const damage = (rowKey: string) =>
      store.commit({
        table: 'Archive',
        partitionKey: HORIZON_PARTITION,
        operations: [{ kind: 'upsert', rowKey, properties: new Map() }],
      });
    return { store, rows, damage };
  };

  test('is of a table at first no earlier than of its kind, and then its own', async () => {
    const { rows } = await setUp();
    await rows.raise('Rows', 1_000);
    await rows.raise('Rows', 500, 'orders');
    expect(await rows.readAll('Rows')).toEqual({
      kindMs: 1_000,
      tables: new Map([['orders', 1_000]]),
    });
    await rows.raise('Rows', 5_000);
    await rows.raise('Rows', 2_000, 'orders');
    await rows.raise('Rows', 7_000, 'events');
    expect(await rows.readAll('Rows')).toEqual({
      kindMs: 5_000,
      tables: new Map([
        ['events', 7_000],
        ['orders', 2_000],
      ]),
    });
    expect(await rows.read('Rows', 'orders')).toBe(2_000);
    expect(await rows.read('Rows')).toBe(7_000);
  });

  test('is never lowered, and not written where it is the same', async () => {
    const { store, rows } = await setUp();
    await rows.raise('Rows', 1_000);
    const readRow = () => store.get('Archive', HORIZON_PARTITION, 'Rows');
    const before = await readRow();
    for (const horizonMs of [1_000, 999]) await rows.raise('Rows', horizonMs);
    expect(await readRow()).toEqual(before);
  });

  test('is not that of a kind whose name begins alike', async () => {
    const { rows } = await setUp();
    await rows.raise('RowsOld', 1_000);
    await rows.raise('RowsOld', 2_000, 'orders');
    expect(await rows.readAll('Rows')).toEqual({ kindMs: undefined, tables: new Map() });
  });

  test('is told by nobody, and raised by nobody, where its row cannot be read', async () => {
    const { store, rows, damage } = await setUp();
    await rows.raise('Rows', 1_000, 'orders');
    await damage('Rows~orders');
    const damaged = {
      code: 'ARCHIVE_DAMAGED',
      message: expect.stringContaining('~horizon/Rows~orders of Archive') as unknown,
    };
    await expect(rows.readAll('Rows')).rejects.toMatchObject(damaged);
    await expect(rows.raise('Rows', 2_000, 'orders')).rejects.toMatchObject(damaged);
    // That of the kind is a row of its own.
    await rows.raise('Rows', 3_000);
    const row = (await store.get('Archive', HORIZON_PARTITION, 'Rows~orders'))!;
    expect(() => checkHorizonRow('Archive', row)).toThrow(expect.objectContaining(damaged));
    const sound = (await store.get('Archive', HORIZON_PARTITION, 'Rows'))!;
    expect(() => checkHorizonRow('Archive', sound)).not.toThrow();
  });

  test('is told of one table whatever is the matter with that of another', async () => {
    const { store, rows, damage } = await setUp();
    await rows.raise('Rows', 1_000);
    await rows.raise('Rows', 2_000, 'events');
    await damage('Rows~orders');
    const record = createHorizonRecord({ store, table: 'Archive', entityKind: 'Rows' });
    const asked = new Set(['events']);
    const told = { kindMs: 1_000, tables: new Map([['events', 2_000]]) };
    expect(await record.read(asked)).toEqual(told);
    expect(await createTableArchiveKeeper({ store }).horizons('Rows', asked)).toEqual(told);
    expect(await rows.read('Rows', 'events')).toBe(2_000);
    await rows.raise('Rows', 3_000, 'invoices');
    const damaged = { code: 'ARCHIVE_DAMAGED' };
    await expect(record.read(new Set(['events', 'orders']))).rejects.toMatchObject(damaged);
    await expect(rows.read('Rows')).rejects.toMatchObject(damaged);
    // That of the kind says how far back each table goes that has none of its own.
    await damage('Rows');
    await expect(record.read(asked)).rejects.toMatchObject(damaged);
  });

  test('is all of it where there is no such table yet, and not known where it cannot be asked', async () => {
    const options = { table: 'Archive', entityKind: 'Rows' };
    const missing = createHorizonRecord({ ...options, store: createMemoryTableStore() });
    expect(await missing.read()).toEqual({ kindMs: undefined, tables: new Map() });
    const { store } = await setUp();
    for (const failure of [new TransientError('TABLE_UNAVAILABLE', 'down'), new Error('bug')]) {
      const down = { ...store, query: () => Promise.reject(failure) };
      await expect(createHorizonRecord({ ...options, store: down }).read()).rejects.toBe(failure);
    }
  });
});

describe('I4: tombstones of a table with an age of its own', () => {
  test('go at that age, once every peer has passed it, and what comes after that is refused', async () => {
    const { east, west } = await createTwo({ tombstoneAgeMs: HOUR_MS });
    await west.orders.put(KEY, new Map());
    const [made] = west.sent;
    await east.apply(made!);
    await east.clock.advance(60_000);
    await east.orders.remove(KEY);
    await east.clock.advance(2 * HOUR_MS);
    // A peer that is behind keeps it, however old it is.
    expect(await east.collect(START_MS)).toBe(0);
    // A change that is old and that the peer had not sent is applied while no tombstone can be missing.
    await west.clock.advance(1_000);
    await west.orders.put({ ...KEY, rowKey: 'late' }, new Map());
    expect([...(await east.apply(west.sent[1]!)).values()]).toEqual([undefined]);
    expect(await east.collect(east.clock.nowMs())).toBe(1);
    const [refused] = [...(await east.apply(made!)).values()];
    expect(refused).toMatchObject({ code: 'CHANGE_TOO_OLD' });
    expect(await east.orders.get(KEY)).toBeUndefined();
  });

  test("that is longer than the region's stay, and what is late for others is applied there", async () => {
    const { east, west } = await createTwo({ tombstoneAgeMs: 2 * REGION_AGE_MS });
    await west.orders.put(KEY, new Map());
    await east.orders.put({ ...KEY, rowKey: 'gone' }, new Map());
    await east.orders.remove({ ...KEY, rowKey: 'gone' });
    // Until now the age of the region counted, so its horizon is where that of the table begins.
    await east.collect(east.clock.nowMs());
    expect((await east.tombstones.read()).tables.get(ID)).toBe(START_MS - REGION_AGE_MS);
    await east.clock.advance(1.5 * REGION_AGE_MS);
    expect(await east.collect(east.clock.nowMs())).toBe(0);
    expect([...(await east.apply(west.sent[0]!)).values()]).toEqual([undefined]);
    await east.clock.advance(REGION_AGE_MS);
    expect(await east.collect(east.clock.nowMs())).toBe(1);
  });

  test('that nobody can tell of keep back what is late for that table, and for no other', async () => {
    const { east, west } = await createTwo({});
    const other = { ...KEY, rowKey: 'other' };
    await west.orders.put(KEY, new Map());
    await west.events.put(other, new Map());
    await east.clock.advance(2 * HOUR_MS);
    await east.store.commit({
      table: rowsKind.name,
      partitionKey: HORIZON_PARTITION,
      operations: [{ kind: 'upsert', rowKey: `${rowsKind.name}~${ID}`, properties: new Map() }],
    });
    const [order, event] = west.sent;
    await expect(east.apply(order!)).rejects.toMatchObject({
      retryable: true,
      message: expect.stringContaining(`~horizon/${rowsKind.name}~${ID}`) as unknown,
    });
    expect([...(await east.apply(event!)).values()]).toEqual([undefined]);
    expect(await east.events.get(other)).toBeDefined();
    expect(await east.orders.get(KEY)).toBeUndefined();
  });

  test('keep what was recorded when the age is changed: nothing that went comes back', async () => {
    const { east, west } = await createTwo({ tombstoneAgeMs: HOUR_MS });
    await west.orders.put(KEY, new Map());
    await east.apply(west.sent[0]!);
    await east.clock.advance(1_000);
    await east.orders.remove(KEY);
    await east.clock.advance(3 * HOUR_MS);
    expect(await east.collect(east.clock.nowMs())).toBe(1);
    const before = (await east.tombstones.read()).tables.get(ID);
    await east.catalogue.change('Orders', { tombstoneAgeMs: 30 * DAY_MS });
    await east.collect(east.clock.nowMs());
    expect((await east.tombstones.read()).tables.get(ID)).toBe(before);
    expect([...(await east.apply(west.sent[0]!)).values()]).toMatchObject([
      { code: 'CHANGE_TOO_OLD' },
    ]);
  });

  test('are recorded before any goes, so that a turn that is cut off revives nothing', async () => {
    const { east } = await createTwo({ tombstoneAgeMs: HOUR_MS });
    await east.clock.advance(3 * HOUR_MS);
    const nowMs = east.clock.nowMs();
    const stopped = await takeTombstoneTurn({
      store: east.store,
      entityKind: rowsKind.name,
      clock: { nowMs: () => nowMs, sleep: async () => undefined },
      passedMs: [nowMs],
      horizonMs: 0,
      driftMsMax: 60_000,
      signal: AbortSignal.abort(),
    });
    expect(stopped).toBeUndefined();
    expect((await east.tombstones.read()).tables.get(ID)).toBe(nowMs - HOUR_MS);
  });

  test('wait until whoever applies changes knows, where they are recorded anew, and otherwise for nothing', async () => {
    const { east } = await createTwo({ tombstoneAgeMs: HOUR_MS });
    const { clock } = east;
    await clock.advance(3 * HOUR_MS);
    const passedMs = clock.nowMs();
    for (const waitMs of [30_000, 0]) {
      const begunMs = clock.nowMs();
      await east.collect(passedMs);
      expect(clock.nowMs() - begunMs).toBe(waitMs);
    }
  });

  test('are not recorded while a peer was never heard, nor of a table that has no such age', async () => {
    const { east } = await createTwo({ tombstoneAgeMs: HOUR_MS });
    await east.catalogue.create('Events', { archiveKeepMs: 30 * DAY_MS });
    const { store, clock } = east;
    const turn = { store, entityKind: rowsKind.name, clock, horizonMs: 0, driftMsMax: 60_000 };
    expect(await takeTombstoneTurn({ ...turn, passedMs: [undefined] })).toBeUndefined();
    expect((await east.tombstones.read()).tables.size).toBe(0);
    await east.collect(clock.nowMs());
    expect([...(await east.tombstones.read()).tables.keys()]).toEqual([ID]);
  });

  test.each([
    [{ tombstoneAgeMs: 60_000 }, 'It is at least 3600000'],
    [
      { replicate: ['west'] as never },
      'a list of regions is not followed yet. Use "all" or "none"',
    ],
    [{ replicate: 'west' as never }, 'replicate is "west"'],
  ])(
    'a table of settings that nobody follows is refused by name: %j',
    async (settings, message) => {
      const { catalogue } = await createRegion('east');
      await expect(catalogue.create('Orders', settings)).rejects.toMatchObject({
        code: 'TABLE_REQUEST_INVALID',
        message: expect.stringContaining(message) as unknown,
      });
      expect(await catalogue.list()).toEqual([]);
    },
  );
});
