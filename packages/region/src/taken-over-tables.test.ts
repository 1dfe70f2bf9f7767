import type { FieldValues, TableSettings, TableStore } from '@tandem/core';
import { newestStamp, publicETag, publicTimestamp, timestampOfTag } from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { describe, expect, test } from 'vitest';
import { FREEZE_MS } from './open-tables.ts';
import { createWorld, drive, regionOf } from './testing/memory-world.ts';

const KEY = { partitionKey: 'ada', rowKey: '001' };
const text = (value: string): FieldValues => new Map([['item', { type: 'String', value }]]);
const SOURCE = { home: 'east', from: 'shop', table: 'Plain' } as const;

const settingsOf = (region: string, peer: string) => ({
  ServiceBusConnection: `${region}.servicebus.example`,
  RedundancyServiceBusConnection: `${peer}.servicebus.example`,
  'Peer.Region': peer,
  'Messages.WireVersion': '7',
  'Tables.Sources': '[{"name":"shop","connection":"https://shop.example"}]',
});

async function setUp(
  rows: readonly string[] = ['001', '002', '003'],
  settings: TableSettings = {},
) {
  const world = createWorld();
  const { clock } = world;
  const shop = createMemoryTableStore({ nowMs: () => clock.nowMs(), isTagged: true });
  await shop.createTable('Plain');
  for (const rowKey of rows) await putPlain(shop, rowKey, rowKey);
  const open = (region: string, peer: string) =>
    regionOf(world, {
      region,
      peer,
      openSource: () => shop,
      settings: settingsOf(region, peer),
    }).region;
  const [east, west] = [open('east', 'west'), open('west', 'east')];
  await drive(world, Promise.all([east.open(), west.open()]));
  await clock.advance(5_000);
  await drive(world, east.catalogue.adopt('Events', SOURCE, settings));
  await clock.advance(10_000);
  return { world, shop, east, west };
}

async function putPlain(shop: TableStore, rowKey: string, value: string): Promise<void> {
  const properties = new Map([['item', { type: 'String' as const, value }]]);
  const operations = [{ kind: 'upsert' as const, rowKey, properties }];
  await shop.commit({ table: 'Plain', partitionKey: KEY.partitionKey, operations });
}

type Opened = Awaited<ReturnType<typeof setUp>>;

async function overlay({ world, east }: Pick<Opened, 'world' | 'east'>): Promise<void> {
  const { sinceMs } = await drive(world, east.catalogue.advance('Events', { kind: 'freeze' }));
  await world.clock.advance(FREEZE_MS);
  const event = { kind: 'overlay' as const, lastWrittenMs: world.clock.nowMs(), sinceMs };
  await drive(world, east.catalogue.advance('Events', event));
}

const plainRow = (shop: TableStore, rowKey = KEY.rowKey) => shop.get('Plain', 'ada', rowKey);

describe('a table that is forwarded', () => {
  test('shows and writes the rows of the old one, under their own ETags', async () => {
    const { world, shop, east } = await setUp();
    const events = east.openTable('Events');
    const seen = await drive(world, events.get(KEY));
    const before = await plainRow(shop);
    expect(publicETag(seen!.version)).toBe(before?.etag);
    const etag = publicETag(seen!.version);
    const done = await drive(
      world,
      events.merge(KEY, new Map([['n', { type: 'Int32', value: 1 }]]), { kind: 'etag', etag }),
    );
    if (done.kind !== 'replaced') throw new Error(done.kind);
    const after = await plainRow(shop);
    expect(publicETag(done.record.version)).toBe(after?.etag);
    expect(publicTimestamp(newestStamp(done.record.version)!)).toBe(timestampOfTag(after!.etag));
    expect([...after!.properties.keys()]).toEqual(['item', 'n']);
    // The version that it had is gone.
    expect(await drive(world, events.put(KEY, text('late'), { kind: 'etag', etag }))).toMatchObject(
      { kind: 'condition-failed', current: { values: after!.properties } },
    );
  });

  test('does what the service does of every kind of write, whole or not at all', async () => {
    const { world, shop, east } = await setUp([]);
    const events = east.openTable('Events');
    const run = <T>(work: Promise<T>): Promise<T> => drive(world, work);
    expect(await run(events.insert(KEY, text('a')))).toMatchObject({ kind: 'created' });
    expect(await run(events.insert(KEY, text('b')))).toMatchObject({ kind: 'condition-failed' });
    expect(await run(events.put(KEY, text('b'), { kind: 'present' }))).toMatchObject({
      kind: 'replaced',
    });
    expect(await run(events.merge(KEY, new Map([['item', null]])))).toMatchObject({
      kind: 'replaced',
    });
    expect((await plainRow(shop))?.properties.size).toBe(0);
    const other = { partitionKey: 'ada', rowKey: '002' };
    const both = [
      { ...other, kind: 'put', values: text('c') },
      { ...KEY, kind: 'put', values: text('c'), condition: { kind: 'absent' } },
    ] as const;
    expect(await run(events.transact(both))).toMatchObject({ kind: 'refused', index: 1 });
    expect(await plainRow(shop, '002')).toBeUndefined();
    expect(await run(events.remove(other))).toEqual({ kind: 'not-found' });
    expect(await run(events.remove(KEY))).toMatchObject({ kind: 'deleted' });
    expect(await run(events.get(KEY))).toBeUndefined();
    const apart = [
      { ...KEY, kind: 'remove' },
      { ...KEY, partitionKey: 'bob', kind: 'remove' },
    ] as const;
    await expect(run(events.transact(apart))).rejects.toMatchObject({
      code: 'TRANSACTION_INVALID',
    });
  });

  test('merges are decided anew where somebody else writes in between', async () => {
    const { world, shop, east } = await setUp();
    const events = east.openTable('Events');
    const merging = events.merge(KEY, new Map([['n', { type: 'Int32', value: 1 }]]));
    await putPlain(shop, KEY.rowKey, 'meanwhile');
    await drive(world, merging);
    const properties = (await plainRow(shop))!.properties;
    expect(properties.get('item')).toEqual({ type: 'String', value: 'meanwhile' });
    expect(properties.get('n')).toEqual({ type: 'Int32', value: 1 });
  });

  test('is answered by its home region alone', async () => {
    const { world, west } = await setUp();
    await expect(drive(world, west.openTable('Events').get(KEY))).rejects.toMatchObject({
      code: 'TABLE_UNAVAILABLE',
      retryable: true,
      retryAfterMs: 1_000,
    });
  });
});

describe('a table that has been returned', () => {
  test('is found by who has not heard of it, even where it was taken over again', async () => {
    const { world, shop, east } = await setUp();
    const { catalogue } = east;
    await drive(world, catalogue.create('Returned'));
    await drive(world, catalogue.mirror('Returned', { home: 'east', to: 'shop', table: 'Plain' }));
    const leave = { kind: 'leave', home: 'east' } as const;
    const { sinceMs } = (await drive(world, catalogue.stepReturn('Returned', leave)))!;
    await drive(world, catalogue.stepReturn('Returned', { kind: 'hold', sinceMs }));
    const found = (await drive(world, east.findTable('Returned')))!;
    await drive(world, catalogue.stepReturn('Returned', { kind: 'left', sinceMs, rows: 3 }));
    await drive(world, catalogue.finishReturn('Returned'));
    await drive(world, catalogue.advance('Returned', { kind: 'freeze' }));
    const before = publicETag((await drive(world, found.rows.get(KEY)))!.version);
    expect(before).toBe((await plainRow(shop))?.etag);
  });
});

describe('I26: a table that is frozen', () => {
  test('holds writes, shows its rows, and lets them go where the table has gone', async () => {
    const { world, shop, east } = await setUp();
    const events = east.openTable('Events');
    await drive(world, events.get(KEY));
    const seen = publicETag((await drive(world, events.get(KEY)))!.version);
    const { sinceMs } = await drive(world, east.catalogue.advance('Events', { kind: 'freeze' }));
    const before = (await plainRow(shop))?.etag;
    let isDone = false;
    const held = events
      .put(KEY, text('held'), { kind: 'etag', etag: seen })
      .finally(() => (isDone = true));
    await world.clock.advance(FREEZE_MS - 1_000);
    expect(isDone).toBe(false);
    expect(await drive(world, events.get(KEY))).toMatchObject({ values: text('001') });
    await world.clock.advance(1_000);
    const event = { kind: 'overlay' as const, lastWrittenMs: world.clock.nowMs(), sinceMs };
    await drive(world, east.catalogue.advance('Events', event));
    expect(await drive(world, held)).toMatchObject({ kind: 'replaced' });
    // The old one is as it was.
    expect((await plainRow(shop))?.etag).toBe(before);
    expect(await drive(world, events.get(KEY))).toMatchObject({ values: text('held') });
  });

  test('gives up what it holds, which nobody has done, and takes it again where it is thawed', async () => {
    const { world, shop, east } = await setUp();
    const events = east.openTable('Events');
    await drive(world, east.catalogue.advance('Events', { kind: 'freeze' }));
    await expect(drive(world, events.put(KEY, text('late')))).rejects.toMatchObject({
      code: 'TABLE_UNAVAILABLE',
    });
    expect((await plainRow(shop))?.properties).toEqual(text('001'));
    const held = events.put(KEY, text('thawed'));
    await world.clock.advance(500);
    await drive(world, east.catalogue.advance('Events', { kind: 'thaw' }));
    expect(await drive(world, held)).toMatchObject({ kind: 'replaced' });
    expect((await plainRow(shop))?.properties).toEqual(text('thawed'));
  });

  test('lets nothing pass that was remembered as forwarded', async () => {
    const { world, shop, east } = await setUp();
    const found = await drive(world, east.findTable('Events'));
    const { sinceMs } = await drive(world, east.catalogue.advance('Events', { kind: 'freeze' }));
    const held = found!.rows.put(KEY, text('late'));
    await world.clock.advance(2_000);
    expect((await plainRow(shop))?.properties).toEqual(text('001'));
    const event = { kind: 'overlay' as const, lastWrittenMs: 1, sinceMs };
    await drive(world, east.catalogue.advance('Events', event));
    await drive(world, held);
    expect((await plainRow(shop))?.properties).toEqual(text('001'));
  });
});

describe('I26: a table that is overlaid', () => {
  test('shows old rows and own ones in every region, without a restart, and pages go on', async () => {
    const opened = await setUp();
    const { world, east, west } = opened;
    const events = east.openTable('Events');
    const first = await drive(world, events.query({ limit: 1 }));
    await overlay(opened);
    await drive(world, events.put({ ...KEY, rowKey: '0015' }, text('new')));
    await drive(world, events.remove({ ...KEY, rowKey: '002' }));
    const next = await drive(world, events.query({ limit: 2, cursor: first.cursor }));
    expect(next.records.map(({ rowKey }) => rowKey)).toEqual(['0015', '003']);
    await world.clock.advance(10_000);
    const page = await drive(world, west.openTable('Events').query());
    expect(page.records.map(({ rowKey }) => rowKey)).toEqual(['001', '0015', '003']);
    expect(west.replication?.status().sinceStart).toMatchObject({ deadLettered: 0 });
  });

  test('shows old rows in its home alone where it goes to no other region, as it does when they are copied', async () => {
    const opened = await setUp(undefined, { replicate: 'none' });
    const { world, shop, east, west } = opened;
    const [here, there] = [east.openTable('Events'), west.openTable('Events')];
    const written = await drive(world, here.put(KEY, text('forwarded')));
    if (written.kind !== 'replaced') throw new Error(written.kind);
    await overlay(opened);
    await world.clock.advance(10_000);
    const receipt = await drive(world, here.receiptFor(KEY, written.record.version));
    const read = await drive(world, here.readReceipt(KEY, receipt));
    const reached = await drive(
      world,
      here.whereApplied(KEY, read!, { waitMs: 100, caller: 'me' }),
    );
    expect(reached).toEqual({ kind: 'told', regions: [{ region: 'east', state: 'applied' }] });
    expect(await drive(world, there.get(KEY))).toBeUndefined();
    expect(await drive(world, there.insert(KEY, text('west')))).toMatchObject({ kind: 'created' });
    await world.clock.advance(10_000);
    const rowsOf = async (table: typeof here): Promise<readonly unknown[]> =>
      (await drive(world, table.query())).records.map(({ rowKey, values }) => [rowKey, values]);
    expect(await rowsOf(there)).toEqual([['001', text('west')]]);
    const old = [
      ['001', text('forwarded')],
      ['002', text('002')],
      ['003', text('003')],
    ];
    expect(await rowsOf(here)).toEqual(old);
    expect((await plainRow(shop))?.properties).toEqual(text('forwarded'));
  });

  test('names a row that no region can have, and shows the others', async () => {
    const opened = await setUp(['001', 'k'.repeat(505), 'last']);
    const { world, east } = opened;
    await overlay(opened);
    const page = await drive(world, east.openTable('Events').query());
    expect(page.records.map(({ rowKey }) => rowKey)).toEqual(['001', 'last']);
    const named = east.notices().current();
    expect(named.map(({ kind, subject }) => [kind, subject.slice(0, 12)])).toEqual([
      ['row-foreign', 'Plain/ada/kk'],
    ]);
  });

  test('an ETag from before is good in every region, until somebody has written', async () => {
    const opened = await setUp();
    const { world, east, west } = opened;
    const etag = publicETag((await drive(world, east.openTable('Events').get(KEY)))!.version);
    await overlay(opened);
    await world.clock.advance(10_000);
    const inWest = west.openTable('Events');
    const done = await drive(world, inWest.put(KEY, text('w'), { kind: 'etag', etag }));
    expect(done).toMatchObject({ kind: 'replaced' });
    await world.clock.advance(10_000);
    expect(
      await drive(world, east.openTable('Events').put(KEY, text('e'), { kind: 'etag', etag })),
    ).toMatchObject({ kind: 'condition-failed', current: { values: text('w') } });
  });

  test('counts an old row as seen, in sessions and in receipts', async () => {
    const opened = await setUp();
    const { world, east, west } = opened;
    const session = east.session();
    await drive(world, session.openTable('Events').get(KEY));
    const inEast = east.openTable('Events');
    const done = await drive(world, inEast.put({ ...KEY, rowKey: '002' }, text('forwarded')));
    if (done.kind !== 'replaced') throw new Error(done.kind);
    const { version } = done.record;
    const receipt = await inEast.receiptFor({ ...KEY, rowKey: '002' }, version);
    await overlay(opened);
    await world.clock.advance(10_000);
    const later = west.session({ token: session.token(), waitMs: 100 });
    expect(await drive(world, later.openTable('Events').get(KEY))).toBeDefined();
    const inWest = west.openTable('Events');
    const wait = { waitMs: 100, caller: 'me' };
    expect(await drive(world, inWest.reach({ ...KEY, rowKey: '002' }, version, wait))).toEqual({
      kind: 'reached',
    });
    const read = await inWest.readReceipt({ ...KEY, rowKey: '002' }, receipt);
    expect(await drive(world, inWest.whereApplied({ ...KEY, rowKey: '002' }, read!, wait))).toEqual(
      {
        kind: 'told',
        regions: [
          { region: 'west', state: 'applied' },
          { region: 'east', state: 'applied' },
        ],
      },
    );
  });

  test('is told by the setting that is missing where a region knows no such source', async () => {
    const world = createWorld();
    const { 'Tables.Sources': _, ...settings } = settingsOf('east', 'west');
    const { region } = regionOf(world, { region: 'east', peer: 'west', settings });
    await drive(world, region.open());
    await drive(world, region.catalogue.adopt('Events', SOURCE));
    await expect(drive(world, region.openTable('Events').get(KEY))).rejects.toThrow(
      'This region knows no source "shop": set Tables.Sources here as in the other regions.',
    );
  });
});
