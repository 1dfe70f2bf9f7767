import { type FieldValues, type MoveStep, openTableId, type TableStore } from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { describe, expect, test } from 'vitest';
import type { Region } from './open-region.ts';
import { HOLD_MS } from './open-tables.ts';
import { createWorld, drive, regionOf, type Tables, type World } from './testing/memory-world.ts';

const KEY = { partitionKey: 'ada', rowKey: '001' };
const text = (value: string): FieldValues => new Map([['item', { type: 'String', value }]]);
const settingsOf = (region: string, peer: string) => ({
  ServiceBusConnection: `${region}.servicebus.example`,
  RedundancyServiceBusConnection: `${peer}.servicebus.example`,
  'Peer.Region': peer,
  'Messages.WireVersion': '8',
});

async function setUp(more: Readonly<Record<string, string>> = { 'Rows2.BucketCount': '7' }) {
  const world = createWorld();
  const stores = { east: createMemoryTableStore(), west: createMemoryTableStore() };
  const open = (region: 'east' | 'west', peer: string): Region<Tables> => {
    const settings = { ...settingsOf(region, peer), ...more };
    return regionOf(world, { region, peer, settings, store: stores[region] }).region;
  };
  const [east, west] = [open('east', 'west'), open('west', 'east')];
  await drive(world, Promise.all([east.open(), west.open()]));
  await world.clock.advance(5_000);
  await drive(world, east.catalogue.create('Orders'));
  await world.clock.advance(5_000);
  return { world, stores, east, west };
}

/** Takes a step of the move that there is, and waits until both regions have heard of it. */
async function step(world: World, east: Region<Tables>, kind: MoveStep['kind']): Promise<void> {
  const sinceMs = (await drive(world, east.catalogue.findNow('Orders')))?.table.move?.sinceMs ?? 0;
  const one: MoveStep = kind === 'begin' ? { kind, home: 'east' } : { kind, sinceMs };
  await drive(world, east.catalogue.stepMove('Orders', one));
  await world.clock.advance(5_000);
}

/** Counts the rows of the table that a region has in a space. */
async function countIn(store: TableStore, space: string): Promise<number> {
  const tableId = openTableId('Orders', '0000');
  const range = { rowsFrom: tableId, rowsBefore: `${tableId}~` };
  const asked = { table: space, partitions: { from: '00', before: 'g' }, limit: 1_000, ...range };
  return (await store.query(asked)).rows.length;
}

describe('a table that moves to a space of other buckets', () => {
  test('is written to where its state says, and shows the same rows in both regions all along', async () => {
    const { world, stores, east, west } = await setUp();
    const [here, there] = [east.openTable('Orders'), west.openTable('Orders')];
    const shown = async () => {
      await world.clock.advance(5_000);
      const [a, b] = [await drive(world, here.query()), await drive(world, there.query())];
      expect(b.records.map(({ version }) => version)).toEqual(
        a.records.map(({ version }) => version),
      );
      return a.records.map(({ rowKey, values }) => [rowKey, values.get('item')?.value]);
    };
    await drive(world, here.put(KEY, text('1')));
    await drive(world, there.put({ ...KEY, rowKey: '002' }, text('1')));
    await step(world, east, 'begin');
    await drive(world, here.put(KEY, text('2')));
    expect(await shown()).toEqual([
      ['001', '2'],
      ['002', '1'],
    ]);
    expect(await countIn(stores.east, 'Rows2')).toBe(0);
    await step(world, east, 'turn');
    await drive(world, there.put(KEY, text('3')));
    await drive(world, here.put({ ...KEY, rowKey: '003' }, text('3')));
    expect(await countIn(stores.west, 'Rows2')).toBe(2);
    expect(await shown()).toEqual([
      ['001', '3'],
      ['002', '1'],
      ['003', '3'],
    ]);
    await step(world, east, 'turned');
    expect((await drive(world, here.remove(KEY))).kind).toBe('deleted');
    expect(await shown()).toEqual([
      ['002', '1'],
      ['003', '3'],
    ]);
    expect(await countIn(stores.east, 'Rows')).toBe(2);
    expect(west.replication?.status().sinceStart).toMatchObject({ deadLettered: 0 });
  });

  test('keeps the ETags that clients hold through every state', async () => {
    const { world, east, west } = await setUp();
    const [here, there] = [east.openTable('Orders'), west.openTable('Orders')];
    await drive(world, here.put(KEY, text('1')));
    const held = (await drive(world, here.get(KEY)))!.version;
    for (const kind of ['begin', 'turn', 'turned'] as const) {
      await step(world, east, kind);
      expect((await drive(world, there.get(KEY)))?.version, kind).toEqual(held);
      expect((await drive(world, here.get(KEY)))?.version, kind).toEqual(held);
    }
  });

  test('holds writes while a region turns, for as long as a process may still write to the old space', async () => {
    const { world, east } = await setUp();
    const here = east.openTable('Orders');
    await drive(world, here.put(KEY, text('1')));
    await step(world, east, 'begin');
    const found = (await drive(world, east.catalogue.findNow('Orders')))!.table;
    const turn = { kind: 'turn', sinceMs: found.move!.sinceMs } as const;
    await drive(world, east.catalogue.stepMove('Orders', turn));
    const startedMs = world.clock.nowMs();
    await drive(world, here.put(KEY, text('2')));
    expect(world.clock.nowMs() - startedMs).toBeGreaterThanOrEqual(HOLD_MS);
    expect(world.clock.nowMs() - startedMs).toBeLessThan(HOLD_MS + 1_000);
    const againMs = world.clock.nowMs();
    await drive(world, here.put(KEY, text('3')));
    expect(world.clock.nowMs() - againMs).toBeLessThan(500);
  });

  test('says that nobody knows of a write to the old space that comes when others may have turned', async () => {
    const world = createWorld();
    const { clock } = world;
    const memory = createMemoryTableStore();
    let isSlow = false;
    const store: TableStore = {
      ...memory,
      async commit(transaction) {
        if (isSlow && transaction.table === 'Rows') await clock.sleep(6_000);
        return memory.commit(transaction);
      },
    };
    const settings = { ...settingsOf('east', 'west'), 'Rows2.BucketCount': '7' };
    const east = regionOf(world, { region: 'east', peer: 'west', settings, store }).region;
    await drive(world, east.open());
    await clock.advance(5_000);
    await drive(world, east.catalogue.create('Orders'));
    await clock.advance(5_000);
    await step(world, east, 'begin');
    isSlow = true;
    const late = east.openTable('Orders').put(KEY, text('1'));
    late.catch(() => undefined);
    await clock.advance(1_000);
    await step(world, east, 'turn');
    await expect(drive(world, late)).rejects.toMatchObject({
      code: 'TABLE_OUTCOME_UNKNOWN',
      message: expect.stringContaining('another space'),
    });
  });

  test('waits for a version that another region wrote to either space', async () => {
    const { world, east, west } = await setUp();
    const [here, there] = [east.openTable('Orders'), west.openTable('Orders')];
    await step(world, east, 'begin');
    await drive(world, here.put(KEY, text('1')));
    const { version: old } = (await drive(world, here.get(KEY)))!;
    await step(world, east, 'turn');
    const wait = { waitMs: 20_000, caller: 'x' };
    expect(await drive(world, there.reach(KEY, old, wait))).toEqual({ kind: 'reached' });
    await drive(world, here.put(KEY, text('2')));
    const { version } = (await drive(world, here.get(KEY)))!;
    expect(await drive(world, there.reach(KEY, version, wait))).toEqual({ kind: 'reached' });
  });

  test('is served by no region that lacks the space', async () => {
    const { world, east } = await setUp({});
    await step(world, east, 'begin');
    await expect(drive(world, east.openTable('Orders').get(KEY))).rejects.toMatchObject({
      code: 'TABLE_UNAVAILABLE',
      message: expect.stringContaining('Rows2.BucketCount'),
    });
    await step(world, east, 'cancel');
    expect(await drive(world, east.openTable('Orders').get(KEY))).toBeUndefined();
  });
});
