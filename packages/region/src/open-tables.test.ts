import { createHash } from 'node:crypto';
import { catalogKind, type FieldValues, type TableStore } from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { createTableLease, MIRROR_LEASE } from '@tandem/storage';
import { describe, expect, test } from 'vitest';
import { createRegion, type Region } from './open-region.ts';
import { defineOpenTable } from './region-options.ts';
import { createWorld, drive, openTwo, regionOf, type Tables } from './testing/memory-world.ts';

const KEY = { partitionKey: 'ada', rowKey: '001' };
const text = (value: string): FieldValues => new Map([['item', { type: 'String', value }]]);
const WAIT = { waitMs: 20_000 };

async function setUp() {
  const world = createWorld();
  const { east, west } = await openTwo(world);
  await world.clock.advance(5_000);
  return { world, east: east.region, west: west.region };
}

describe('a table of the catalogue', () => {
  test('is made in one region, and serves and replicates rows in both, without a restart', async () => {
    const { world, east, west } = await setUp();
    await drive(world, east.catalogue.create('Events'));
    await drive(world, east.openTable('events').put(KEY, text('pump')));
    await world.clock.advance(10_000);
    const record = await drive(world, west.openTable('EVENTS').get(KEY));
    expect(record).toMatchObject({ ...KEY, values: text('pump'), origin: 'east' });
    await drive(world, west.openTable('Events').merge(KEY, new Map([['n', NUMBER]])));
    await world.clock.advance(10_000);
    const page = await drive(world, east.openTable('Events').query());
    expect(page.records.map(({ values }) => [...values.keys()])).toEqual([['item', 'n']]);
    expect(west.replication?.status().sinceStart).toMatchObject({ deadLettered: 0 });
  });

  test('writes several rows whole, and refuses all of them for one', async () => {
    const { world, east } = await setUp();
    await drive(world, east.catalogue.create('Events'));
    const events = east.openTable('Events');
    const put = (rowKey: string) =>
      ({ kind: 'put', partitionKey: 'ada', rowKey, values: text(rowKey) }) as const;
    await drive(world, events.transact([put('002'), put('001')]));
    const refused = await drive(
      world,
      events.transact([put('003'), { ...put('001'), condition: { kind: 'absent' } }]),
    );
    expect(refused).toMatchObject({ kind: 'refused', index: 1 });
    const { records } = await drive(world, events.query());
    expect(records.map(({ rowKey }) => rowKey)).toEqual(['001', '002']);
  });

  test('brings a transaction that is larger than a message whole', async () => {
    const world = createWorld();
    const [east, west] = [
      ['east', 'west'],
      ['west', 'east'],
    ].map(([region = '', peer = '']) => {
      const settings = {
        ServiceBusConnection: `${region}.servicebus.example`,
        RedundancyServiceBusConnection: `${peer}.servicebus.example`,
        'Peer.Region': peer,
        'Messages.WireVersion': '8',
      };
      return regionOf(world, { region, peer, settings }).region;
    }) as [Region<Tables>, Region<Tables>];
    await drive(world, Promise.all([east.open(), west.open()]));
    await drive(world, east.catalogue.create('Events'));
    const noise = (number: number) => createHash('sha512').update(String(number)).digest('hex');
    const large = (row: number) =>
      Array.from({ length: 240 }, (_, index) => noise(row * 240 + index)).join('');
    const operations = Array.from({ length: 40 }, (_, row) => ({
      kind: 'put' as const,
      partitionKey: 'ada',
      rowKey: String(row),
      values: text(large(row)),
    }));
    await drive(world, east.openTable('Events').transact(operations));
    await world.clock.advance(20_000);
    const { records } = await drive(world, west.openTable('Events').query());
    expect(records).toHaveLength(40);
    expect(west.replication?.status().sinceStart).toMatchObject({ deadLettered: 0 });
  });

  test('that there is none of is told by its name, in reads and in writes', async () => {
    const { world, east } = await setUp();
    const missing = { code: 'TABLE_NOT_FOUND', message: expect.stringContaining('Events') };
    const events = east.openTable('Events');
    await expect(drive(world, events.get(KEY))).rejects.toMatchObject(missing);
    await expect(drive(world, events.put(KEY, text('pump')))).rejects.toMatchObject(missing);
    expect(await drive(world, east.findTable('Events'))).toBeUndefined();
    expect(() => east.openTable('1')).toThrow(
      expect.objectContaining({ code: 'TABLE_REQUEST_INVALID' }),
    );
  });

  test('acknowledges nothing once it is deleted, and comes back with its rows', async () => {
    const { world, east, west } = await setUp();
    await drive(world, east.catalogue.create('Events'));
    const found = await drive(world, east.findTable('Events'));
    await drive(world, east.openTable('Events').put(KEY, text('pump')));
    await drive(world, east.catalogue.remove('Events'));
    await expect(drive(world, found!.rows.put(KEY, text('valve')))).rejects.toMatchObject({
      code: 'TABLE_NOT_FOUND',
    });
    await world.clock.advance(10_000);
    await expect(drive(world, west.openTable('Events').get(KEY))).rejects.toMatchObject({
      code: 'TABLE_NOT_FOUND',
    });
    await drive(world, west.catalogue.restore('Events'));
    await world.clock.advance(10_000);
    expect(await drive(world, east.openTable('Events').get(KEY))).toBeDefined();
  });

  test('does not say that it is not there, where its return was begun and taken back during a write', async () => {
    const world = createWorld();
    const { clock } = world;
    const memory = createMemoryTableStore();
    let asked: number | undefined;
    const store: TableStore = {
      ...memory,
      async commit(transaction) {
        if (transaction.table !== 'Rows') return memory.commit(transaction);
        await clock.sleep(8_000);
        asked ??= 0;
        return memory.commit(transaction);
      },
      async query(range) {
        const isLook = asked !== undefined && range.table === catalogKind.name;
        if (isLook && (asked! += 1) === 2) {
          await east.catalogue.stepReturn('Events', { kind: 'stay', home: 'east' });
        }
        return memory.query(range);
      },
    };
    const east = regionOf(world, { region: 'east', peer: 'west', store }).region;
    await drive(world, east.open());
    const { catalogue } = east;
    await clock.advance(5_000);
    await drive(world, catalogue.create('Events'));
    await drive(world, catalogue.mirror('Events', { home: 'east', to: 'shop', table: 'Plain' }));
    // As the command has it all the while.
    const named = { name: MIRROR_LEASE, holder: 'cli' };
    await drive(world, createTableLease({ store, clock, ...named }).acquire(120_000));
    await drive(world, east.findTable('Events'));
    const writing = east.openTable('Events').put(KEY, text('pump'));
    const failed = writing.catch((error: unknown) => error);
    await clock.advance(100);
    const leave = { kind: 'leave', home: 'east' } as const;
    const { sinceMs } = (await drive(world, catalogue.stepReturn('Events', leave)))!;
    await drive(world, catalogue.stepReturn('Events', { kind: 'hold', sinceMs }));
    expect(await drive(world, failed)).toMatchObject({ code: 'TABLE_OUTCOME_UNKNOWN' });
    expect(asked).toBeGreaterThan(1);
    expect(await drive(world, east.openTable('Events').get(KEY))).toBeDefined();
  });

  test('is not served, and not hidden by another, where a newer build wrote to which regions it goes', async () => {
    const world = createWorld();
    const store = createMemoryTableStore();
    const east = regionOf(world, { region: 'east', peer: 'west', store }).region;
    await drive(world, east.open());
    await drive(world, east.catalogue.create('Events'));
    const place = { table: catalogKind.name, partitionKey: '00' };
    const row = (await store.get(place.table, place.partitionKey, 'events=7E0000'))!;
    const properties = new Map([
      ...row.properties,
      ['replicate', { type: 'String', value: 'north,west' } as const],
    ]);
    const operations = [
      { kind: 'replace', rowKey: row.rowKey, etag: row.etag, properties } as const,
    ];
    await store.commit({ ...place, operations });
    await world.clock.advance(5_000);
    const refused = { code: 'TABLE_UNAVAILABLE', message: expect.stringContaining('newer build') };
    const events = east.openTable('Events');
    await expect(drive(world, events.get(KEY))).rejects.toMatchObject(refused);
    await expect(drive(world, events.put(KEY, text('pump')))).rejects.toMatchObject(refused);
    expect(await drive(world, east.catalogue.create('Events'))).toMatchObject({ kind: 'exists' });
    const range = { partitions: { from: '00', before: 'g' }, rowsBefore: '~', limit: 9 };
    expect((await store.query({ table: 'Rows', ...range })).rows).toEqual([]);
  });

  test('that is not replicated stays where it is, archived', async () => {
    const world = createWorld();
    const [store, other] = [createMemoryTableStore(), createMemoryTableStore()];
    const east = regionOf(world, { region: 'east', peer: 'west', store }).region;
    const west = regionOf(world, { region: 'west', peer: 'east', store: other }).region;
    await drive(world, Promise.all([east.open(), west.open()]));
    await drive(world, east.catalogue.create('Events', { replicate: 'none' }));
    const events = east.openTable('Events');
    const outcome = await drive(world, events.put(KEY, text('pump')));
    await world.clock.advance(40_000);
    const outbox = { table: 'LocalRows', partitions: { from: '00', before: 'ff' }, rowsFrom: '~' };
    expect((await store.query({ ...outbox, limit: 10 })).rows).toEqual([]);
    expect(await drive(world, west.openTable('Events').get(KEY))).toBeUndefined();
    if (outcome.kind !== 'created') throw new Error(outcome.kind);
    const { version } = outcome.record;
    const asked = { peers: 'all', waitMs: 2_000 } as const;
    expect(await drive(world, events.acknowledgementOf(version, asked))).toEqual({
      level: 'local',
      peers: [],
    });
    const session = east.session();
    const inSession = session.openTable('Events');
    await drive(world, inSession.get(KEY));
    await drive(world, inSession.query());
    await drive(world, inSession.put(KEY, text('valve')));
    await drive(world, inSession.transact([{ kind: 'remove', ...KEY }]));
    // What no other region gets is none of what is carried there.
    expect(session.token()).toBe(east.session().token());
    const inWest = west.session({ token: session.token(), ...WAIT });
    expect(await drive(world, inWest.openTable('Events').get(KEY))).toBeUndefined();
  });

  test('says what a write has reached, and gives a receipt of it', async () => {
    const { world, east } = await setUp();
    await drive(world, east.catalogue.create('Events'));
    const events = east.openTable('Events');
    const outcome = await drive(world, events.insert(KEY, text('pump')));
    if (outcome.kind !== 'created') throw new Error(outcome.kind);
    const { version } = outcome.record;
    const asked = { peers: 'all', waitMs: 2_000 } as const;
    expect(await drive(world, events.acknowledgementOf(version, asked))).toEqual({
      level: 'queued',
      peers: ['west'],
    });
    const text1 = await drive(world, events.receiptFor(KEY, version));
    const receipt = await drive(world, events.readReceipt(KEY, text1));
    const other = await drive(world, events.readReceipt({ ...KEY, rowKey: '002' }, text1));
    expect(other).toBeUndefined();
    const wait = { waitMs: 30_000, caller: 'ada' };
    expect(await drive(world, events.whereApplied(KEY, receipt!, wait))).toMatchObject({
      regions: [{ state: 'applied' }, { region: 'west', state: 'applied' }],
    });
    const reach = events.reach(KEY, version, wait);
    expect(await drive(world, reach)).toEqual({ kind: 'reached' });
  });
});

const NUMBER = { type: 'Int32', value: 3 } as const;

describe('I9: a session over a table of the catalogue', () => {
  test('shows in another region what it has written, though the table is new there too', async () => {
    const { world, east, west } = await setUp();
    await drive(world, east.catalogue.create('Events'));
    const inEast = east.session();
    await drive(world, inEast.openTable('Events').put(KEY, text('pump')));
    const inWest = west.session({ token: inEast.token(), ...WAIT });
    const read = await drive(world, inWest.openTable('Events').get(KEY));
    expect(read?.values).toEqual(text('pump'));
  });

  test('waits for one row alone where the table is known', async () => {
    const { world, east, west } = await setUp();
    await drive(world, east.catalogue.create('Events'));
    await world.clock.advance(10_000);
    const inEast = east.session();
    await drive(world, inEast.openTable('Events').put(KEY, text('pump')));
    const begunMs = world.clock.nowMs();
    const inWest = west.session({ token: inEast.token(), ...WAIT });
    expect(await drive(world, inWest.openTable('Events').get(KEY))).toBeDefined();
    expect(world.clock.nowMs() - begunMs).toBeLessThan(1_000);
  });

  test('shows whole transactions and deletions, in a query too', async () => {
    const { world, east, west } = await setUp();
    await drive(world, east.catalogue.create('Events'));
    const inEast = east.session();
    const events = inEast.openTable('Events');
    const put = (rowKey: string) =>
      ({ kind: 'put', partitionKey: 'ada', rowKey, values: text(rowKey) }) as const;
    await drive(world, events.transact([put('001'), put('002'), put('003')]));
    await drive(world, events.remove({ partitionKey: 'ada', rowKey: '002' }));
    const inWest = west.session({ token: inEast.token(), ...WAIT });
    const { records } = await drive(world, inWest.openTable('Events').query());
    expect(records.map(({ rowKey }) => rowKey)).toEqual(['001', '003']);
  });

  test('reads the table that was made anew, not the one before', async () => {
    const { world, east, west } = await setUp();
    await drive(world, east.catalogue.create('Events'));
    await drive(world, east.openTable('Events').put(KEY, text('old')));
    await world.clock.advance(10_000);
    expect(await drive(world, west.openTable('Events').get(KEY))).toBeDefined();
    await drive(world, east.catalogue.remove('Events'));
    await drive(world, east.catalogue.create('Events'));
    const inEast = east.session();
    await drive(world, inEast.openTable('Events').put(KEY, text('new')));
    const inWest = west.session({ token: inEast.token(), ...WAIT });
    const read = await drive(world, inWest.openTable('Events').get(KEY));
    expect(read?.values).toEqual(text('new'));
  });
});

describe('a table that a service declares', () => {
  const open = (store = createMemoryTableStore(), policy: 'row' | 'field' = 'row') =>
    createRegion({
      region: 'east',
      store,
      tables: { events: defineOpenTable({ name: 'Events', policy }) },
      settings: { 'Customer.DataAccess': 'single-region', 'Messages.WireVersion': '4' },
    });

  test('is there once the region is open, by its own name, in sessions too', async () => {
    const store = createMemoryTableStore();
    for (let time = 0; time < 2; time += 1) {
      const region = open(store);
      await region.open();
      await region.tables.events.put(KEY, text('pump'));
      const record = await region.session().tables.events.get(KEY);
      expect(record?.values).toEqual(text('pump'));
      expect(await region.catalogue.list()).toMatchObject([{ name: 'Events', generation: 0 }]);
      await region.stop();
    }
  });

  test('opens no region where it is otherwise than declared', async () => {
    const store = createMemoryTableStore();
    const region = open(store);
    await region.open();
    await region.stop();
    await expect(open(store, 'field').open()).rejects.toMatchObject({
      code: 'CONFIGURATION_INVALID',
      message: expect.stringContaining('policy'),
    });
  });

  test('is refused twice under two names, and under a name that no table has', () => {
    const events = defineOpenTable({ name: 'Events' });
    const tables = { one: events, other: defineOpenTable({ name: 'EVENTS' }) };
    expect(() => createRegion({ region: 'east', store: createMemoryTableStore(), tables })).toThrow(
      expect.objectContaining({ code: 'ENTITY_KIND_INVALID' }),
    );
    expect(() => defineOpenTable({ name: 'no name' })).toThrow(
      expect.objectContaining({ code: 'TABLE_REQUEST_INVALID' }),
    );
  });
});
