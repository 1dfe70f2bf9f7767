import {
  formatStamp,
  parseStamp,
  type TableStore,
  TransientError,
  type VersionVector,
  vectorWith,
} from '@tandem/core';
import { createMemoryTableStore, createSeededRandomness } from '@tandem/core/memory';
import { createFaultyStore } from '@tandem/storage/testing';
import { describe, expect, test } from 'vitest';
import { createRegion, type Region } from './open-region.ts';
import type { RegionOptions } from './region-options.ts';
import { memoryBusOf } from './testing/memory-bus.ts';
import {
  createWorld,
  drive,
  openTwo,
  orderKind,
  regionOf,
  type Tables,
  type World,
} from './testing/memory-world.ts';

async function untilReady(world: World, region: Region<Tables>): Promise<void> {
  for (let second = 0; second < 60; second += 1) {
    const readiness = await drive(world, region.readiness());
    if (readiness.kind === 'ready') return;
    await world.clock.advance(1_000);
  }
  throw new Error('the region is not ready after a minute');
}

describe('a region that replicates in its own process', () => {
  test('serves every table by its name, and brings each to the peer', async () => {
    const world = createWorld();
    const { east, west } = await openTwo(world);
    const { orders, devices } = east.region.tables;
    await drive(world, orders.put('o-1', { item: 'pump', count: 2 }));
    await drive(world, devices.put('d-1', { label: 'Pump 7' }));
    await world.clock.advance(5_000);
    const order = await drive(world, west.region.tables.orders.get('o-1'));
    expect(order).toMatchObject({ entity: { item: 'pump', count: 2 }, origin: 'east' });
    const device = await drive(world, west.region.tables.devices.get('d-1'));
    expect(device?.entity.label).toBe('Pump 7');
    expect(west.region.replication?.status().sinceStart.received).toBeGreaterThan(0);
  });

  test('I14: is ready once it has caught up, and not before it is opened or once it stops', async () => {
    const world = createWorld();
    const east = regionOf(world, { region: 'east', peer: 'west' }).region;
    expect(() => east.tables).toThrow(expect.objectContaining({ code: 'TABLE_UNAVAILABLE' }));
    expect(await east.readiness()).toMatchObject({ reasons: [{ kind: 'starting' }] });
    expect(east.serving().kind).toBe('not-ready');
    const west = regionOf(world, { region: 'west', peer: 'east' }).region;
    await drive(world, Promise.all([east.open(), west.open()]));
    expect(east.serving().kind).toBe('ready');
    await untilReady(world, east);
    expect(await drive(world, east.stop())).toBe(true);
    expect(await east.readiness()).toMatchObject({ reasons: [{ kind: 'stopping' }] });
  });

  test('answers what the queue of the peer has accepted, and gives a receipt of it', async () => {
    const world = createWorld();
    const { east } = await openTwo(world);
    const { orders } = east.region.tables;
    const outcome = await drive(world, orders.put('o-1', { item: 'pump', count: 2 }));
    if (outcome.kind !== 'created') throw new Error(outcome.kind);
    const { version } = outcome.record;
    const asked = { peers: 'all', waitMs: 2_000 } as const;
    const reached = await drive(world, orders.acknowledgementOf(version, asked));
    expect(reached).toEqual({ level: 'queued', peers: ['west'] });
    const receipt = orders.readReceipt('o-1', orders.receiptFor('o-1', version));
    if (receipt === undefined) throw new Error('no receipt');
    const wait = { waitMs: 30_000, caller: 'ada' };
    expect(await drive(world, orders.whereApplied('o-1', receipt, wait))).toEqual({
      kind: 'told',
      regions: [
        { region: 'east', state: 'applied' },
        { region: 'west', state: 'applied' },
      ],
    });
  });

  test('makes its own queue exist, and sends to each peer over one link', async () => {
    const world = createWorld();
    const bus = memoryBusOf(world.bus);
    const ensured: object[] = [];
    const published: object[] = [];
    const { region } = regionOf(world, {
      region: 'east',
      peer: 'west',
      bus: {
        ...bus,
        ensureQueue: async (queue) => void ensured.push(queue),
        createPublisher: (peer) => {
          published.push(peer);
          return bus.createPublisher(peer);
        },
      },
    });
    await drive(world, region.open());
    await world.clock.advance(5_000);
    const queue = 'customer';
    expect(ensured).toEqual([{ connection: 'east.servicebus.example', queue }]);
    expect(published).toMatchObject([
      { region: 'west', connection: 'west.servicebus.example', queue },
    ]);
  });

  test('knows a write of its own again that was written over since, and none that nobody made', async () => {
    const world = createWorld();
    const { east } = await openTwo(world);
    const { orders } = east.region.tables;
    const first = await drive(world, orders.put('o-1', { item: 'pump' }));
    const last = await drive(world, orders.put('o-1', { item: 'valve' }));
    if (first.kind !== 'created' || last.kind !== 'replaced') throw new Error(last.kind);
    const { version } = first.record;
    const wait = { waitMs: 30_000, caller: 'ada' };
    const told = async (own: VersionVector) => {
      const receipt = orders.readReceipt('o-1', orders.receiptFor('o-1', own))!;
      return drive(world, orders.whereApplied('o-1', receipt, wait));
    };
    expect(await told(version)).toMatchObject({
      kind: 'told',
      regions: [
        { region: 'east', state: 'applied' },
        { region: 'west', state: 'applied' },
      ],
    });
    const stamp = parseStamp(version.get('east')!);
    const before = formatStamp({ ...stamp, timeMs: stamp.timeMs - 1 });
    expect(await told(vectorWith(new Map(), before))).toEqual({
      kind: 'forged',
      why: 'this region has made no such write.',
    });
    const later = formatStamp({ ...stamp, timeMs: stamp.timeMs + 3_600_000 });
    expect(await told(vectorWith(new Map(), later))).toMatchObject({ kind: 'forged' });
    const asked = { peers: 'all', waitMs: 0 } as const;
    const ofWest = vectorWith(new Map(), formatStamp({ ...stamp, region: 'west' }));
    expect(await orders.acknowledgementOf(ofWest, asked)).toEqual({ level: 'local', peers: [] });
  });

  test('I9: shows in the peer what a version names, as soon as it is there', async () => {
    const world = createWorld();
    const { east, west } = await openTwo(world);
    const outcome = await drive(world, east.region.tables.orders.put('o-1', { item: 'pump' }));
    if (outcome.kind !== 'created') throw new Error(outcome.kind);
    const wait = { waitMs: 10_000, caller: 'ada' };
    const reach = west.region.tables.orders.reach('o-1', outcome.record.version, wait);
    expect(await drive(world, reach)).toEqual({ kind: 'reached' });
    expect(await drive(world, west.region.tables.orders.get('o-1'))).toBeDefined();
  });

  test('sends what it has acknowledged before it stops, and closes what it opened in order', async () => {
    const world = createWorld();
    const { east, west } = await openTwo(world);
    await drive(world, east.region.tables.orders.put('o-1', { item: 'pump' }));
    const stopped = drive(world, east.region.stop());
    expect(await stopped).toBe(true);
    expect(east.log.of('shutdown-step-done').map(({ step }) => step)).toEqual([
      'turn readiness red',
      'begin nothing new',
      'finish the batch in hand',
      'drain the relay',
      'release the leases',
      'close the bus',
      'close the senders',
    ]);
    await world.clock.advance(5_000);
    expect(await drive(world, west.region.tables.orders.get('o-1'))).toBeDefined();
  });

  test.each([true, false])(
    'leaves no timer behind that keeps its process alive, with its duties: %s',
    async (replicate) => {
      const world = createWorld();
      const { region } = regionOf(world, { region: 'east', peer: 'west', replicate });
      await drive(world, region.open());
      await drive(world, region.tables.orders.put('o-1', { item: 'pump' }));
      expect(await drive(world, region.stop())).toBe(true);
      expect(world.clock.nextWakeMs()).toBeUndefined();
    },
  );

  test('I1: another process sends what one that was killed has acknowledged', async () => {
    const world = createWorld();
    const store = createMemoryTableStore();
    const down = { ...memoryBusOf(world.bus), createPublisher: neverSending };
    // The duties of neither run, so this process is as good as dead once it has written.
    const killed = regionOf(world, {
      region: 'east',
      peer: 'west',
      store,
      bus: down,
      replicate: false,
    });
    const west = regionOf(world, { region: 'west', peer: 'east' });
    await drive(world, Promise.all([killed.region.open(), west.region.open()]));
    await drive(world, killed.region.tables.orders.put('o-1', { item: 'pump' }));
    const again = regionOf(world, { region: 'east', peer: 'west', store });
    await drive(world, again.region.open());
    await world.clock.advance(20_000);
    expect(await drive(world, west.region.tables.orders.get('o-1'))).toBeDefined();
  });

  test('is safe beside another process that does the same', async () => {
    const world = createWorld();
    const store = createMemoryTableStore();
    const { clock } = world;
    const one = regionOf(world, { region: 'east', peer: 'west', store });
    const other = regionOf(world, {
      region: 'east',
      peer: 'west',
      store,
      randomness: createSeededRandomness(77),
    });
    const west = regionOf(world, { region: 'west', peer: 'east' });
    const all = [one, other, west].map(({ region }) => region.open());
    await drive(world, Promise.all(all));
    for (let number = 0; number < 20; number += 1) {
      const { orders } = (number % 2 === 0 ? one : other).region.tables;
      await drive(world, orders.put(`o-${number}`, { item: 'pump', count: number }));
    }
    await clock.advance(10_000);
    const page = await drive(world, west.region.tables.orders.list(100));
    expect(page.records).toHaveLength(20);
    expect(west.region.replication?.status().sinceStart.deadLettered).toBe(0);
  });
});

const neverSending = ({ region }: { readonly region: string }) => ({
  peer: region,
  publish: async (): Promise<never> => {
    throw new TransientError('BUS_UNAVAILABLE', 'The namespace does not answer.');
  },
  close: async () => undefined,
});

describe('what a region knows of itself', () => {
  test('is nothing before it is open, and its settings then', async () => {
    const world = createWorld();
    const { region } = regionOf(world, { region: 'east', peer: 'west' });
    const closed = expect.objectContaining({ code: 'TABLE_UNAVAILABLE' });
    expect(() => region.setting('Sweep.IntervalMs')).toThrow(closed);
    expect(() => region.catalogue).toThrow(closed);
    expect(() => region.session()).toThrow(closed);
    expect(() => region.openTable('Events')).toThrow(closed);
    await expect(region.findTable('Events')).rejects.toEqual(closed);
    await expect(region.syncedMs()).rejects.toEqual(closed);
    expect(region.relayQueueLength()).toBe(0);
    expect(region.notices().current()).toEqual([]);
    expect(region.notices().count('row-foreign')).toBe(0);
    await drive(world, region.open());
    expect(region.setting('Peer.Region')).toBe('west');
  });

  test('is up to when all that the others wrote is here, and nothing before they were heard', async () => {
    const world = createWorld();
    const east = regionOf(world, { region: 'east', peer: 'west' }).region;
    await drive(world, east.open());
    await world.clock.advance(5_000);
    expect(await drive(world, east.syncedMs())).toBeUndefined();
    const west = regionOf(world, { region: 'west', peer: 'east' }).region;
    await drive(world, west.open());
    await world.clock.advance(10_000);
    const nowMs = world.clock.nowMs();
    const syncedMs = (await drive(world, east.syncedMs()))!;
    expect(syncedMs).toBeLessThanOrEqual(nowMs);
    expect(syncedMs).toBeGreaterThan(nowMs - 5_000);
    const alone = regionOf(world, {
      region: 'alone',
      peer: 'none',
      settings: { 'Customer.DataAccess': 'single-region' },
    }).region;
    await drive(world, alone.open());
    expect(await alone.syncedMs()).toBe(world.clock.nowMs());
  });

  test('is what it met that somebody has to see to, in reads and in its duties', async () => {
    const world = createWorld();
    const store = createMemoryTableStore();
    const { region, log } = regionOf(world, { region: 'east', peer: 'west', store });
    await drive(world, region.open());
    const damage = (table: string, rowKey: string) =>
      store.commit({
        table,
        partitionKey: '00',
        operations: [{ kind: 'insert', rowKey, properties: new Map() }],
      });
    await damage('Devices', 'd-1');
    await drive(world, region.tables.devices.list(10));
    expect(region.notices().current()).toMatchObject([
      { kind: 'row-foreign', subject: 'Devices/00/d-1', count: 1 },
    ]);
    expect(log.of('row-foreign')).toMatchObject([{ subject: 'Devices/00/d-1' }]);
    await damage('Orders', '~o~damaged');
    await world.clock.advance(5_000);
    const kinds = region
      .notices()
      .current()
      .map(({ kind }) => kind);
    expect(kinds.toSorted()).toEqual(['outbox-row-damaged', 'row-foreign']);
    expect(region.notices().count('row-foreign')).toBe(1);
    expect(region.notices().count('outbox-row-damaged')).toBeGreaterThan(0);
  });

  test('is how much waits to be sent, which it gives up at the stop before its time is over', async () => {
    const world = createWorld();
    const bus = memoryBusOf(world.bus);
    const hanging = {
      ...bus,
      createPublisher: ({ region }: { readonly region: string }) => ({
        peer: region,
        publish: () => new Promise<never>(() => undefined),
        close: async () => undefined,
      }),
    };
    const given = { region: 'east', peer: 'west', bus: hanging, replicate: false };
    const { region, log } = regionOf(world, { ...given, shutdownMs: 10_000 });
    await drive(world, region.open());
    for (const id of ['o-1', 'o-2', 'o-3']) {
      await drive(world, region.tables.orders.put(id, { item: 'pump' }));
    }
    expect(region.relayQueueLength()).toBeGreaterThan(0);
    const begunMs = world.clock.nowMs();
    await drive(world, region.stop());
    expect(world.clock.nowMs() - begunMs).toBeGreaterThan(1_000);
    expect(world.clock.nowMs() - begunMs).toBeLessThan(10_000);
    expect(log.of('shutdown-step-done').map(({ step }) => step)).toContain('close the senders');
  });
});

describe('a region that leaves its duties to another process', () => {
  test('I14: is not ready while no replicator is heard', async () => {
    const world = createWorld();
    const { region } = regionOf(world, { region: 'east', peer: 'west', replicate: false });
    await drive(world, region.open());
    expect(region.replication).toBeUndefined();
    expect(await drive(world, region.readiness())).toMatchObject({ kind: 'not-ready' });
    expect(region.serving().kind).toBe('ready');
  });

  test('opens, however long its account is out of reach', async () => {
    const world = createWorld();
    const store = createFaultyStore(createMemoryTableStore());
    const { region } = regionOf(world, { region: 'east', peer: 'west', store });
    store.setOutage(new TransientError('TABLE_UNAVAILABLE', 'The store does not answer.'));
    const opening = region.open();
    await world.clock.advance(30_000);
    expect(region.serving().kind).toBe('not-ready');
    store.setOutage(undefined);
    await drive(world, opening);
    expect(region.serving().kind).toBe('ready');
  });

  test('opens no more once it is stopped', async () => {
    const world = createWorld();
    const store = createFaultyStore(createMemoryTableStore());
    store.setOutage(new TransientError('TABLE_UNAVAILABLE', 'The store does not answer.'));
    const { region } = regionOf(world, { region: 'east', peer: 'west', store });
    const opening = region.open();
    await world.clock.advance(1_000);
    expect(await drive(world, region.stop())).toBe(true);
    await opening;
    expect(() => region.tables).toThrow(/not open yet/);
  });
});

describe('what a region is opened with', () => {
  const store: TableStore = createMemoryTableStore();
  const open = (options: Partial<RegionOptions<Readonly<Record<string, typeof orderKind>>>>) =>
    createRegion({ region: 'east', store, tables: { orders: orderKind }, ...options });

  test.each<readonly [Parameters<typeof open>[0], string, RegExp]>([
    [{ region: 'East!' }, 'CONFIGURATION_INVALID', /"East!" names no region/],
    [{ store: 'nothing of the kind' }, 'CONFIGURATION_INVALID', /./],
    [
      { tables: { orders: orderKind, sales: orderKind } },
      'ENTITY_KIND_INVALID',
      /"orders" and "sales" are both of the kind Orders/,
    ],
  ])('is refused before anything is opened, as %#', (options, code, message) => {
    expect(() => open(options)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });

  test('is refused at the opening where settings are wrong, all of them at once', async () => {
    const settings = { 'Sweep.IntervalMs': 'soon', 'Peer.Region': 'west' };
    await expect(open({ settings }).open()).rejects.toMatchObject({
      code: 'CONFIGURATION_INVALID',
      message: expect.stringMatching(/ServiceBusConnection(.|\n)*Sweep\.IntervalMs/),
    });
  });
});
