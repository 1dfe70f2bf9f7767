import { catalogKind, type TableStore, TransientError } from '@tandem/core';
import { describe, expect, test } from 'vitest';
import { collectTombstones } from '../retention/collect-tombstones.ts';
import { createTwoRegions, type MemoryRegion, type TwoRegions } from '../testing/index.ts';
import { createTableCatalogue, type TableCatalogue } from './table-catalogue.ts';

const DAY_MS = 24 * 3_600_000;
const KEEP_MS = 7 * DAY_MS;
const outage = new TransientError('TABLE_UNAVAILABLE', 'The store is down.');

interface Harness {
  readonly regions: TwoRegions<typeof catalogKind>;
  /** Opens the catalogue as one more process of a region does. */
  open(
    region: MemoryRegion<typeof catalogKind>,
    store?: TableStore,
    onRefreshFailed?: () => void,
  ): TableCatalogue;
}

async function createHarness(): Promise<Harness> {
  const regions = await createTwoRegions(catalogKind, {
    east: { bucketCount: 1 },
    west: { bucketCount: 1 },
  });
  return {
    regions,
    open: (region, store = region.store, onRefreshFailed = () => undefined) =>
      createTableCatalogue({
        store,
        table: region.openTable(),
        clock: regions.clock,
        keepMs: () => KEEP_MS,
        onRefreshFailed,
      }),
  };
}

/** Counts what is asked of a store. */
function counted(store: TableStore): TableStore & { queries: number } {
  const counting = {
    ...store,
    queries: 0,
    query(range: Parameters<TableStore['query']>[0]) {
      counting.queries += 1;
      return store.query(range);
    },
  };
  return counting;
}

const namesOf = async (catalogue: TableCatalogue): Promise<readonly string[]> =>
  (await catalogue.list()).map(({ name }) => name);

describe('I21: the catalogue of tables', () => {
  test('a table that is created in one region exists in the other, in any case of its name', async () => {
    const { regions, open } = await createHarness();
    const [east, west] = [open(regions.east), open(regions.west)];
    expect(await east.create('Orders', { policy: 'field', acl: '[]' })).toMatchObject({
      kind: 'created',
      table: { name: 'Orders', key: 'orders', generation: 0, policy: 'field', acl: '[]' },
    });
    expect(await west.find('orders')).toBeUndefined();
    await regions.settle();
    expect((await west.find('ORDERS'))?.table).toMatchObject({ name: 'Orders', policy: 'field' });
    expect(await west.create('orders')).toMatchObject({
      kind: 'exists',
      table: { name: 'Orders' },
    });
    await east.create('Devices');
    expect(await namesOf(east)).toEqual(['Devices', 'Orders']);
  });

  test('regions that create, delete and create at once agree when they are quiet', async () => {
    const { regions, open } = await createHarness();
    const [east, west] = [open(regions.east), open(regions.west)];
    await Promise.all([east.create('Orders'), west.create('orders')]);
    await regions.drive(east.remove('Orders'));
    // West has not heard of any of it, and makes the same generation once more, with later stamps.
    await west.create('Orders', { acl: '[1]' });
    await regions.settle();
    for (const catalogue of [east, west]) expect(await catalogue.find('Orders')).toBeUndefined();
    expect(await west.create('Orders')).toMatchObject({ table: { generation: 1 } });
    await regions.settle();
    expect(await east.generations('Orders')).toEqual(await west.generations('Orders'));
    expect((await east.find('Orders'))?.table.generation).toBe(1);
  });

  test('of two processes of a region that create at once one creates', async () => {
    const { regions, open } = await createHarness();
    const made = await Promise.all([
      open(regions.east).create('Orders'),
      open(regions.east).create('Orders'),
    ]);
    expect(made.map(({ kind }) => kind).toSorted()).toEqual(['created', 'exists']);
    expect(made[0]?.table.generation).toBe(made[1]?.table.generation);
  });

  test('a deletion whose record is taken away, or that nobody can read, stays one', async () => {
    const { regions, open } = await createHarness();
    const catalogue = open(regions.east);
    await catalogue.create('Orders');
    await regions.drive(catalogue.remove('Orders'));
    await regions.east.table.remove('orders~0000~deleted');
    expect(await catalogue.find('Orders')).toBeUndefined();
    const collecting = { store: regions.east.store, kind: catalogKind, bucketCount: 1 };
    expect(await collectTombstones({ ...collecting, horizonMs: Number.MAX_SAFE_INTEGER })).toBe(0);
    expect(await catalogue.find('Orders')).toBeUndefined();
    const key = { table: catalogKind.name, partitionKey: '00', rowKey: 'orders=7E0000=7Edeleted' };
    const row = await regions.east.store.get(key.table, key.partitionKey, key.rowKey);
    const properties = new Map([['_vector', { type: 'String', value: 'none' } as const]]);
    const damage = { kind: 'replace', rowKey: key.rowKey, properties, etag: row!.etag } as const;
    await regions.east.store.commit({ ...key, operations: [damage] });
    expect(await catalogue.find('Orders')).toBeUndefined();
    expect(await catalogue.create('Orders')).toMatchObject({ table: { generation: 1 } });
  });
});

describe('a table that is taken over', () => {
  const SOURCE = { home: 'east', from: 'shop', table: 'Orders' } as const;

  test('is taken no further where a newer build wrote to which regions it goes', async () => {
    const { regions, open } = await createHarness();
    const east = open(regions.east);
    await east.adopt('Orders', SOURCE);
    const { store } = regions.east;
    const rowKey = 'orders=7E0000';
    const { etag, properties } = (await store.get(catalogKind.name, '00', rowKey))!;
    const written = new Map([
      ...properties,
      ['replicate', { type: 'String', value: 'a,b' } as const],
    ]);
    const operations = [{ kind: 'replace', rowKey, etag, properties: written } as const];
    await store.commit({ table: catalogKind.name, partitionKey: '00', operations });
    await expect(east.advance('Orders', { kind: 'freeze' })).rejects.toThrow(/newer build/);
  });

  test('has one state, which every region learns of, and is adopted once', async () => {
    const { regions, open } = await createHarness();
    const [east, west] = [open(regions.east), open(regions.west)];
    const adopted = await east.adopt('Orders', SOURCE);
    expect(adopted).toMatchObject({ kind: 'created', table: { source: { state: 'proxy' } } });
    expect(await east.adopt('orders', SOURCE)).toMatchObject({ kind: 'exists' });
    await expect(east.adopt('Orders', { ...SOURCE, from: 'other' })).rejects.toThrow(
      /Table Orders exists, and is not taken over from Orders of other/,
    );
    const { sinceMs } = await east.advance('Orders', { kind: 'freeze' });
    await east.advance('Orders', { kind: 'overlay', lastWrittenMs: 7, sinceMs });
    await regions.settle();
    expect((await west.find('Orders'))?.table.source).toMatchObject({
      ...SOURCE,
      state: 'overlay',
      lastWrittenMs: 7,
    });
  });

  test('is changed by one of two that change it at once, and by the other no more', async () => {
    const { regions, open } = await createHarness();
    await open(regions.east).adopt('Orders', SOURCE);
    const { sinceMs } = await open(regions.east).advance('Orders', { kind: 'freeze' });
    const settled = await Promise.allSettled([
      open(regions.east).advance('Orders', { kind: 'thaw' }),
      open(regions.east).advance('Orders', { kind: 'overlay', lastWrittenMs: 7, sinceMs }),
    ]);
    expect(settled.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  });

  test('is refused where it is none, or another generation, or a newer build wrote of it', async () => {
    const { regions, open } = await createHarness();
    const catalogue = open(regions.east);
    const freeze = { kind: 'freeze' } as const;
    await expect(catalogue.advance('Orders', freeze)).rejects.toThrow(/there is no such table/);
    await catalogue.create('Orders');
    await expect(catalogue.advance('Orders', freeze)).rejects.toThrow(/it was made here/);
    await expect(catalogue.adopt('Orders', SOURCE)).rejects.toThrow(/exists/);
    await catalogue.adopt('Devices', { ...SOURCE, table: 'Devices' });
    await expect(catalogue.advance('Devices', freeze, 1)).rejects.toThrow(/no such table/);
    await regions.east.table.patch('devices~0000', { source: '{"v":2}' });
    expect((await catalogue.findNow('Devices'))?.table.source).toBe('unreadable');
    await expect(catalogue.advance('Devices', freeze)).rejects.toThrow(/a newer build wrote how/);
    await regions.drive(catalogue.remove('Devices'));
    await expect(catalogue.restore('Devices')).rejects.toThrow(/only be read by a newer build/);
  });

  test('comes back in the state that it was deleted in', async () => {
    const { regions, open } = await createHarness();
    const catalogue = open(regions.east);
    await catalogue.adopt('Orders', SOURCE);
    const { sinceMs } = await catalogue.advance('Orders', { kind: 'freeze' });
    await catalogue.advance('Orders', { kind: 'overlay', lastWrittenMs: 7, sinceMs });
    await regions.drive(catalogue.remove('Orders'));
    expect(await catalogue.restore('Orders')).toMatchObject({
      generation: 1,
      rowsOf: 0,
      source: { state: 'overlay', lastWrittenMs: 7 },
    });
  });
});

test('a table whose name has the hash of another is refused, be that deleted or not', async () => {
  const { regions, open } = await createHarness();
  const catalogue = open(regions.east);
  await catalogue.create('table8qju');
  await expect(catalogue.create('TableBdzk')).rejects.toThrow(
    /table8qju, whose name has the same hash/,
  );
  await regions.drive(catalogue.remove('table8qju'));
  await expect(catalogue.create('TableBdzk')).rejects.toThrow(/Choose another name/);
  expect(await catalogue.create('table8qju')).toMatchObject({ table: { generation: 1 } });
});

describe('a table that is deleted', () => {
  test('is answered when no process of the region takes it for living any more', async () => {
    const { regions, open } = await createHarness();
    const [one, other] = [open(regions.east), open(regions.east)];
    await one.create('Orders');
    await other.find('Orders');
    await regions.clock.advance(0);
    const found = (await other.find('Orders'))!;
    let answeredMs = Number.POSITIVE_INFINITY;
    const removal = one.remove('Orders').then(() => (answeredMs = regions.clock.nowMs()));
    let acknowledgedMs = 0;
    for (let step = 0; step < 50; step += 1) {
      await regions.clock.advance(100);
      if (await other.confirm(found, 'east')) acknowledgedMs = regions.clock.nowMs();
    }
    await removal;
    expect(acknowledgedMs).toBeGreaterThan(0);
    expect(acknowledgedMs).toBeLessThan(answeredMs);
    expect(await other.find('Orders')).toBeUndefined();
    expect(await one.remove('Orders')).toBeUndefined();
  });

  test('I26: of a table on its way out nothing that was read before is trusted, whatever a clock says', async () => {
    const { regions, open } = await createHarness();
    const catalogue = open(regions.east);
    await catalogue.create('Orders');
    await catalogue.mirror('Orders', { home: 'east', to: 'shop', table: 'Plain' });
    const leave = { kind: 'leave', home: 'east' } as const;
    const { sinceMs } = (await catalogue.stepReturn('Orders', leave))!;
    // By a clock that stands still from here on it would be trusted for ever.
    const found = (await catalogue.findNow('Orders'))!;
    expect(await catalogue.confirm(found, 'east')).toBe(true);
    expect(await catalogue.confirm(found, 'west')).toBe(false);
    await catalogue.stepReturn('Orders', { kind: 'hold', sinceMs });
    expect(await catalogue.confirm(found, 'east')).toBe(false);
  });

  test('can be created again at once, and what was found before is another table', async () => {
    const { regions, open } = await createHarness();
    const catalogue = open(regions.east);
    await catalogue.create('Orders');
    const found = (await catalogue.find('Orders'))!;
    await regions.drive(catalogue.remove('Orders'));
    await catalogue.create('Orders');
    expect(await catalogue.confirm(found, 'east')).toBe(false);
    expect(await catalogue.confirm((await catalogue.find('Orders'))!, 'east')).toBe(true);
  });

  test('comes back in every region with its settings, until its rows may be gone', async () => {
    const { regions, open } = await createHarness();
    const [east, west] = [open(regions.east), open(regions.west)];
    await east.create('Orders', { policy: 'field', tombstoneAgeMs: DAY_MS });
    await regions.drive(east.remove('Orders'));
    await regions.settle();
    expect(await west.restore('Orders')).toMatchObject({ generation: 1, rowsOf: 0 });
    await regions.settle();
    expect((await east.find('Orders'))?.table).toMatchObject({
      rowsOf: 0,
      policy: 'field',
      tombstoneAgeMs: DAY_MS,
    });
    await regions.drive(east.remove('Orders'));
    await regions.clock.advance(KEEP_MS);
    await expect(east.restore('Orders')).rejects.toThrow(/its rows were kept until/);
  });
});

describe('a table that is moved, or mirrored and returned', () => {
  const BEGIN = { kind: 'begin', home: 'east' } as const;
  const MIRROR = { home: 'west', to: 'shop', table: 'Plain' };

  async function setUp() {
    const { regions, open } = await createHarness();
    const [east, west] = [open(regions.east), open(regions.west)];
    await east.create('Orders');
    await regions.settle();
    return { regions, east, west };
  }

  /** Takes all steps of a move that has begun. */
  async function finishMove(catalogue: TableCatalogue): Promise<void> {
    let move = (await catalogue.stepMove('Orders', BEGIN))!;
    for (const kind of ['turn', 'turned', 'settle'] as const) {
      move = (await catalogue.stepMove('Orders', { kind, sinceMs: move.sinceMs }))!;
    }
  }

  test.each(['the move', 'the mirror'])(
    'I26: at once in two regions goes no further than where there is a way back, with %s first',
    async (first) => {
      const { regions, east, west } = await setUp();
      const move = () => east.stepMove('Orders', BEGIN);
      const mirror = () => west.mirror('Orders', MIRROR);
      if (first === 'the move') await move();
      await mirror();
      if (first !== 'the move') await move();
      // Neither had heard of the other; from now on both have.
      await regions.settle();
      for (const one of [east, west]) {
        const { table } = (await one.findNow('Orders'))!;
        expect(table).toMatchObject({ move: { state: 'joining' }, mirror: MIRROR });
      }
      const { sinceMs } = (await move())!;
      const turn = { kind: 'turn', sinceMs } as const;
      await expect(east.stepMove('Orders', turn)).rejects.toThrow(
        'it is mirrored to Plain of shop from west since',
      );
      const leave = { kind: 'leave', home: 'west' } as const;
      await expect(west.stepReturn('Orders', leave)).rejects.toThrow('it moves to Rows2, joining');
      // Either gives way, and the other goes on.
      await west.mirror('Orders', undefined);
      await regions.settle();
      expect(await east.stepMove('Orders', turn)).toMatchObject({ state: 'turning' });
      await expect(east.mirror('Orders', MIRROR)).rejects.toThrow('it moves to Rows2, turning');
    },
  );

  test('I26: a return and a move that begin at once in two regions are one of both everywhere, and the other goes no further', async () => {
    const { regions, east, west } = await setUp();
    await west.mirror('Orders', MIRROR);
    const leaving = (await west.stepReturn('Orders', { kind: 'leave', home: 'west' }))!;
    await regions.clock.advance(1);
    // East has heard of neither.
    const begun = (await east.stepMove('Orders', BEGIN))!;
    await regions.settle();
    for (const one of [east, west]) {
      const { table } = (await one.findNow('Orders'))!;
      expect([table.source, table.move]).toEqual([undefined, begun]);
    }
    const hold = { kind: 'hold', sinceMs: leaving.sinceMs } as const;
    await expect(west.stepReturn('Orders', hold)).rejects.toThrow('it moves to Rows2, joining');
  });

  test('comes back where its rows are, whichever of the generations that showed them is asked for', async () => {
    const { regions, east, west } = await setUp();
    await regions.drive(east.remove('Orders'));
    await east.restore('Orders');
    await finishMove(east);
    await regions.drive(east.remove('Orders'));
    await regions.settle();
    // The rows of the first generation have moved since that one was deleted.
    const restored = await west.restore('Orders', 0);
    expect(restored).toMatchObject({ generation: 2, rowsOf: 0, move: { state: 'settled' } });
    await regions.settle();
    expect((await east.findNow('Orders'))?.table.move).toEqual(restored.move);
  });

  test('lies in the first space again when it was returned and comes in anew', async () => {
    const { east, regions } = await setUp();
    await finishMove(east);
    await east.mirror('Orders', { ...MIRROR, home: 'east' });
    const leave = { kind: 'leave', home: 'east' } as const;
    const { sinceMs } = (await east.stepReturn('Orders', leave))!;
    await east.stepReturn('Orders', { kind: 'hold', sinceMs });
    await east.stepReturn('Orders', { kind: 'left', sinceMs, rows: 0 });
    const after = await east.finishReturn('Orders');
    expect(after).toMatchObject({ generation: 1, move: undefined, source: { state: 'proxy' } });
    // Of what has left the move is known for as long as it can be restored.
    await regions.settle();
    const [left] = await east.generations('Orders');
    expect(left).toMatchObject({ move: { state: 'settled' } });
  });

  test('goes on with its move when it was deleted meanwhile and comes back, and what was begun before it does not', async () => {
    const { regions, east } = await setUp();
    const begun = (await east.stepMove('Orders', BEGIN))!;
    await regions.drive(east.remove('Orders'));
    await east.restore('Orders');
    const turn = { kind: 'turn', sinceMs: begun.sinceMs } as const;
    await expect(east.stepMove('Orders', turn, 0)).rejects.toThrow('There is no table Orders');
    expect(await east.stepMove('Orders', turn, 1)).toMatchObject({ state: 'turning' });
    // A mirror is of the generation that it was begun for.
    expect((await east.findNow('Orders'))?.table.mirror).toBeUndefined();
  });
});

describe('what a process remembers', () => {
  test('is read anew once a second while it is asked for, and not at all while it is not', async () => {
    const { regions, open } = await createHarness();
    await open(regions.east).create('Orders');
    const store = counted(regions.east.store);
    const catalogue = open(regions.east, store);
    for (let asked = 0; asked < 100; asked += 1) {
      await catalogue.find('Orders');
      await regions.clock.advance(50);
    }
    expect(store.queries).toBeLessThanOrEqual(7);
    const queries = store.queries;
    await regions.clock.advance(60_000);
    expect(store.queries).toBe(queries);
  });

  test('is not believed after three seconds, nor when the clock was set back', async () => {
    const { regions, open } = await createHarness();
    await open(regions.east).create('Orders');
    let isDown = false;
    const { store } = regions.east;
    const failing: TableStore = {
      ...store,
      query: (range) => (isDown ? Promise.reject(outage) : store.query(range)),
    };
    let failures = 0;
    const catalogue = open(regions.east, failing, () => (failures += 1));
    await catalogue.find('Orders');
    await regions.clock.advance(0);
    isDown = true;
    await regions.clock.advance(2_999);
    expect((await catalogue.find('Orders'))?.table.name).toBe('Orders');
    await regions.clock.advance(1);
    await expect(catalogue.find('Orders')).rejects.toBe(outage);
    expect(failures).toBeGreaterThan(0);
  });

  test('never hides a table that another process has just made', async () => {
    const { regions, open } = await createHarness();
    const [one, other] = [open(regions.east), open(regions.east)];
    expect(await other.find('Orders')).toBeUndefined();
    await regions.clock.advance(0);
    await one.create('Orders');
    expect((await other.find('Orders'))?.table.generation).toBe(0);
  });
});

test('what a table was made with is changed but for its policy and its replication', async () => {
  const { regions, open } = await createHarness();
  const catalogue = open(regions.east);
  expect(await catalogue.change('Orders', { acl: '[]' })).toBeUndefined();
  await catalogue.create('Orders', { archiveKeepMs: DAY_MS });
  expect(await catalogue.change('Orders', { acl: '[]', policy: 'row' })).toMatchObject({
    acl: '[]',
    archiveKeepMs: DAY_MS,
  });
  await expect(catalogue.change('Orders', { policy: 'field' })).rejects.toThrow(/is fixed while/);
  await expect(catalogue.create('orders', { replicate: 'none' })).rejects.toThrow(/is fixed while/);
  await expect(catalogue.find('no such name')).rejects.toThrow(/3 to 63 letters/);
});
