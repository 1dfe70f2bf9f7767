import {
  bucketNames,
  catalogKind,
  createHybridClock,
  formatGeneration,
  type OpenKind,
  openTableId,
  rowsKind,
  type TableStore,
} from '@tandem/core';
import { createSeededRandomness } from '@tandem/core/memory';
import { describe, expect, test } from 'vitest';
import { createOpenTable, type OpenTable } from '../read/open-table.ts';
import { collectTombstones } from '../retention/collect-tombstones.ts';
import { createTableArchive } from '../tables/table-archive.ts';
import { createMemoryRegions, type MemoryRegion, type MemoryRegions } from '../testing/index.ts';
import { createStateTable } from '../write-path/create-replicated-table.ts';
import { type PurgeTurn, takePurgeTurn } from './purge-tables.ts';
import { createTableCatalogue, type TableCatalogue } from './table-catalogue.ts';

type Region = MemoryRegion<typeof catalogKind>;

const MINUTE_MS = 60_000;
const KEEP_MS = 60 * MINUTE_MS;
const MARGIN_MS = 10 * MINUTE_MS;
const ROWS_BUCKET_COUNT = 3;
const NAMES = ['east', 'west', 'north'];

interface Harness {
  readonly regions: MemoryRegions<typeof catalogKind>;
  open(region: Region): TableCatalogue;
  turn(region: Region): Promise<PurgeTurn>;
  rowsOf(region: Region, name: string, generation?: number): Promise<OpenTable>;
  /** Takes away what a turn found; returns how many rows went. */
  purge(region: Region, turn: PurgeTurn): Promise<number>;
  later(durationMs: number): Promise<void>;
}

async function createHarness(): Promise<Harness> {
  const own = { bucketCount: 1 };
  const regions = await createMemoryRegions(catalogKind, { east: own, west: own, north: own });
  const { clock } = regions;
  for (const { store } of regions.regions) await store.createTable(rowsKind.name);
  return {
    regions,
    open: ({ store, openTable }) =>
      createTableCatalogue({ store, table: openTable(), clock, keepMs: () => KEEP_MS }),
    turn: ({ region, store, status, openTable }) =>
      takePurgeTurn({
        store,
        table: openTable(),
        clock,
        status,
        peers: NAMES.filter((name) => name !== region),
        keepMs: KEEP_MS,
        marginMs: MARGIN_MS,
        driftMsMax: MINUTE_MS,
      }),
    rowsOf: async ({ store, region }, name, generation = 0) =>
      openRows(store, { region, clock, tableId: openTableId(name, formatGeneration(generation)) }),
    async purge({ store }, { isPurged }) {
      let rows = 0;
      await collectTombstones({
        store,
        kind: rowsKind,
        bucketCount: ROWS_BUCKET_COUNT,
        horizonMs: 0,
        purge: { isPurged, onPurged: (count) => void (rows += count) },
      });
      return rows;
    },
    async later(durationMs) {
      await clock.advance(durationMs);
      for (let round = 0; round < 3; round += 1) await regions.settle();
    },
  };
}

/** Each has a writer of its own, as each process has. */
let opened = 0;

function openRows(
  store: TableStore,
  {
    region,
    clock,
    tableId,
  }: {
    readonly region: string;
    readonly clock: MemoryRegions<typeof catalogKind>['clock'];
    readonly tableId: string;
  },
): OpenTable {
  const kind: OpenKind = rowsKind;
  const parts = {
    store,
    kind,
    bucketCount: ROWS_BUCKET_COUNT,
    clock,
    randomness: createSeededRandomness(1),
  };
  const states = createStateTable({
    ...parts,
    archive: createTableArchive({ store }),
    hybridClock: createHybridClock({
      region,
      writer: `rows${(opened += 1)}`,
      nowMs: () => clock.nowMs(),
      driftMsMax: MINUTE_MS,
    }),
    wireVersion: 4,
    peers: [],
    onCommitted: () => undefined,
  });
  return createOpenTable({ ...parts, states, tableId });
}

async function fill(table: OpenTable, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    const key = { partitionKey: `p${index % 5}`, rowKey: String(index) };
    await table.put(key, new Map([['n', { type: 'Int32', value: index }]]));
  }
}

async function countRows({ store }: Region): Promise<number> {
  let count = 0;
  for (const partitions of bucketNames(ROWS_BUCKET_COUNT)) {
    const page = await store.query({
      table: rowsKind.name,
      partitions,
      rowsBefore: '~',
      limit: 1_000,
    });
    count += page.rows.length;
  }
  return count;
}

describe('I21: the rows of a deleted table', () => {
  test('go in every region once nobody can restore them, and those of other tables stay', async () => {
    const { regions, open, turn, rowsOf, purge, later } = await createHarness();
    const [east, west] = regions.regions as [Region, Region];
    for (const name of ['Orders', 'Devices']) await open(east).create(name);
    await fill(await rowsOf(east, 'orders'), 250);
    await fill(await rowsOf(east, 'devices'), 7);
    await regions.settle();
    await regions.drive(open(west).remove('Orders'));
    await later(KEEP_MS - MINUTE_MS);
    expect(await turn(east)).toMatchObject({ marked: [], purged: [] });
    await later(MARGIN_MS + 2 * MINUTE_MS);
    const { marked, purged } = await turn(east);
    expect(marked).toMatchObject([{ name: 'Orders', generation: 0 }]);
    expect(purged).toEqual([]);
    // It is said once, and the rows stay until every region has had the time to hear of it.
    expect(await turn(east)).toMatchObject({ marked: [], purged: [] });
    await later(MINUTE_MS);
    expect(await turn(east)).toMatchObject({ marked: [], purged: [] });
    await expect(open(west).restore('Orders')).rejects.toThrow(/cannot be restored/);
    await later(MARGIN_MS + MINUTE_MS);
    for (const region of [east, west]) {
      expect((await turn(region)).purged).toMatchObject([{ name: 'Orders', generation: 0 }]);
    }
    const found = await turn(east);
    expect(await purge(east, found)).toBe(250);
    expect(await countRows(east)).toBe(7);
    // What comes late goes the next time.
    await fill(await rowsOf(east, 'orders'), 1);
    expect(await purge(east, await turn(east))).toBe(1);
    expect(await purge(east, found)).toBe(0);
  });

  test('stay while a peer has not said that it knows', async () => {
    const { regions, open, turn, later } = await createHarness();
    const [east] = regions.regions as [Region];
    await open(east).create('Orders');
    await regions.settle();
    await regions.drive(open(east).remove('Orders'));
    await later(KEEP_MS + MARGIN_MS + MINUTE_MS);
    regions.bus.setDown('north', true);
    expect((await turn(east)).marked).toHaveLength(1);
    for (let round = 0; round < 5; round += 1) {
      await regions.clock.advance(MARGIN_MS);
      for (const region of regions.regions.slice(0, 2)) {
        await regions.drive(region.replicator.sweepOnce());
        await regions.drive(region.replicator.receiveOnce(new AbortController().signal));
        await regions.drive(region.replicator.beatOnce());
      }
    }
    expect((await turn(east)).purged).toEqual([]);
    regions.bus.setDown('north', false);
    await later(MARGIN_MS + MINUTE_MS);
    await later(MINUTE_MS);
    expect((await turn(east)).purged).toHaveLength(1);
  });

  test('stay for as long as a restored table shows them', async () => {
    const { regions, open, turn, rowsOf, purge, later } = await createHarness();
    const [east, west] = regions.regions as [Region, Region];
    await open(east).create('Orders');
    await fill(await rowsOf(east, 'orders'), 5);
    await regions.settle();
    await regions.drive(open(west).remove('Orders'));
    await regions.settle();
    await open(east).restore('Orders');
    await regions.settle();
    await later(10 * KEEP_MS);
    const found = await turn(east);
    expect(found).toMatchObject({ marked: [], purged: [] });
    expect(await purge(east, found)).toBe(0);
    expect(await countRows(east)).toBe(5);
  });
});
