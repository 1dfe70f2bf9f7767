import {
  catalogKind,
  createApplier,
  createHybridClock,
  encodeChangeSet,
  openTableId,
  rowsKind,
  type TableSettings,
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
import { createTableArchive } from '../tables/table-archive.ts';
import { createTableConflictJournal } from '../tables/table-conflict-journal.ts';
import { createTableReplica } from '../tables/table-replica.ts';
import { createReplicatedTable, createStateTable } from '../write-path/create-replicated-table.ts';
import {
  collectTombstones,
  createTombstoneHorizons,
  takeTombstoneTurn,
} from './collect-tombstones.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const START_MS = Date.UTC(2026, 0, 1);
const REGION_AGE_MS = 90 * DAY_MS;
const BUCKETS = 2;
const KEY = { partitionKey: 'p', rowKey: 'r' };
const ID = openTableId('orders', '0000');

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
    apply: (...sets: (typeof sent)[number][]) => applier.apply(sets),
  };
}

async function createTwo(settings: TableSettings) {
  const [east, west] = [await createRegion('east'), await createRegion('west')];
  for (const { catalogue } of [east, west]) await catalogue.create('Orders', settings);
  return { east, west };
}

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
