import {
  bucketOf,
  type ChangeSet,
  encodeChangeSet,
  encodeOpenId,
  entityBucketOf,
  formatStamp,
  localRowsKind,
  openTableId,
  rowsKind,
  type TableStore,
} from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { createMemoryBus, createMemoryTableStore, createVirtualClock } from '@tandem/core/memory';
import { createTombstoneHorizons } from '@tandem/storage';
import { describe, expect, test } from 'vitest';
import { bucketCountOf } from '../region-tables.ts';
import { customer } from '../testing/customer.ts';
import {
  createMemoryReplicator,
  type MemoryReplicatorOptions,
  queueOf,
  STORE_DOWN,
} from '../testing/memory-replicator.ts';
import { checkSettings } from './replicator-process.ts';

const START_MS = Date.UTC(2026, 0, 1);
const ID = '4f1de9a3-2a68-4c55-8d0a-0a1b2c3d4e5f';
const LOCK_MS = 60_000;

function setUp() {
  const clock = createVirtualClock(START_MS);
  const bus = createMemoryBus({ clock, lockDurationMs: LOCK_MS, deliveryCountMax: 3 });
  return { clock, bus };
}

async function setUpOne(rest: Partial<MemoryReplicatorOptions> = {}) {
  const { clock, bus } = setUp();
  const east = await createMemoryReplicator({ region: 'east', clock, bus, ...rest });
  return { clock, bus, east };
}

async function setUpTwo() {
  const { clock, bus } = setUp();
  const east = await createMemoryReplicator({ region: 'east', peer: 'west', clock, bus });
  const west = await createMemoryReplicator({ region: 'west', peer: 'east', clock, bus });
  await Promise.all([east.process.start(), west.process.start()]);
  return { clock, bus, east, west };
}

describe('replicator of a region with peers', () => {
  test('brings what was written in one region to the other', async () => {
    const { clock, east, west } = await setUpTwo();
    await east.customers.put(ID, customer('ada@example.org'));
    await clock.advance(10_000);
    expect(await west.customers.get(ID)).toMatchObject({
      entity: { email: 'ada@example.org' },
      origin: 'east',
    });
    expect(await east.outbox()).toEqual([]);
    expect(east.process.status().sinceStart.relayed).toBe(1);
  });

  test('I21: brings the catalogue of tables to the other', async () => {
    const { clock, east, west } = await setUpTwo();
    await east.catalogue.create('Orders', { policy: 'field' });
    await clock.advance(10_000);
    expect((await west.catalogue.find('orders'))?.table).toMatchObject({ policy: 'field' });
    const removal = west.catalogue.remove('Orders');
    await clock.advance(10_000);
    await removal;
    expect(await east.catalogue.find('Orders')).toBeUndefined();
    expect(await west.catalogue.create('Orders')).toMatchObject({ table: { generation: 1 } });
  });

  test('I21: takes away the rows of a table that was deleted for long', async () => {
    const { clock, east } = await setUpOne({
      settings: {
        'Customer.DataAccess': 'single-region',
        'Tables.DeletedKeepMs': '60000',
        'Sweep.IntervalMs': '3600000',
      },
    });
    await east.process.start();
    for (const name of ['Orders', 'Devices']) {
      await east.catalogue.create(name);
      const row = { partitionKey: 'p', rowKey: 'r' };
      await east.rowsOf(name, 0).put(row, new Map([['n', { type: 'Int32', value: 1 }]]));
    }
    const removal = east.catalogue.remove('Orders');
    await clock.advance(10_000);
    await removal;
    const key = { partitionKey: 'p', rowKey: 'r' };
    expect(await east.rowsOf('Orders', 0).get(key)).toBeDefined();
    await clock.advance(4 * 3_600_000);
    expect(await east.rowsOf('Orders', 0).get(key)).toBeUndefined();
    expect(await east.rowsOf('Devices', 0).get(key)).toBeDefined();
    expect(east.process.status().sinceStart.purged).toBe(1);
    expect(east.log.of('table-purge-due')).toMatchObject([{ table: 'Orders', generation: 0 }]);
    expect(east.log.of('tables-purged')).toMatchObject([{ rows: 1, tables: ['Orders'] }]);
    const [{ purgedMs } = { purgedMs: undefined }] = await east.catalogue.generations('Orders');
    expect(purgedMs).toBeGreaterThan(START_MS);
  });

  test('is ready once it has swept and received', async () => {
    const { clock, east } = await setUpOne();
    expect(east.process.readiness()).toEqual({ kind: 'not-ready', reasons: [{ kind: 'opening' }] });
    await east.process.start();
    await clock.advance(3_000);
    expect(east.process.readiness()).toEqual({ kind: 'ready' });
    expect(east.process.liveness()).toEqual({ kind: 'live' });
  });

  test('I16: believes a peer after its own clock was set back, as far as the setting for clocks says', async () => {
    const { clock, bus } = setUp();
    let behindMs = 0;
    const setBack = { ...clock, nowMs: () => clock.nowMs() - behindMs };
    const settings = { 'Clock.DriftMsMax': '200000' };
    const parts = { peer: 'west', clock: setBack, bus, settings };
    const east = await createMemoryReplicator({ region: 'east', ...parts });
    const west = await createMemoryReplicator({ region: 'west', peer: 'east', clock, bus });
    await Promise.all([east.process.start(), west.process.start()]);
    await clock.advance(10_000);
    for (const [by, lagMs] of [
      [100_000, 0],
      [300_000, null],
    ] as const) {
      behindMs = by;
      expect(east.process.status().peers).toMatchObject([{ peer: 'west', lagMs }]);
    }
  });

  test('says how far each peer has got, and how it knows', async () => {
    const { clock, east } = await setUpTwo();
    await clock.advance(10_000);
    const status = east.process.status();
    expect(status).toMatchObject({
      region: 'east',
      phase: 'running',
      peers: [{ peer: 'west', reachable: true }],
      backlog: false,
      queue: { reachable: true, oldestMessageAgeMs: null, deadLetterCount: 0 },
    });
    expect(status.peers[0]?.lagMs).toBeLessThan(5_000);
    expect(status.loops.map(({ name }) => name)).toEqual([
      'sweep',
      'receive',
      'heartbeat',
      'dead-letters',
      'fragments',
      'status-log',
      'tombstones',
      'retention',
      'copy',
      'mirror',
      'configuration',
    ]);
  });

  test('counts and logs a conflict by its ids and field names only', async () => {
    const { clock, east, west } = await setUpTwo();
    await east.customers.put(ID, customer('ada@east.example'));
    await west.customers.put(ID, customer('ada@west.example'));
    await clock.advance(10_000);
    expect(east.process.status().sinceStart.conflicts).toBe(1);
    expect(west.process.status().sinceStart.conflicts).toBe(1);
    const [line] = west.log.of('conflict-recorded');
    expect(line).toMatchObject({ entityKind: 'Customers', entityId: ID, fields: ['email'] });
    expect(JSON.stringify(west.log.lines)).not.toContain('example');
    const winner = await east.customers.get(ID);
    expect((await west.customers.get(ID))?.entity).toEqual(winner?.entity);
  });

  test('I10: dead-letters what it cannot read, and applies what comes after', async () => {
    const { clock, bus, east, west } = await setUpTwo();
    const poison = {
      messageId: 'poison',
      subject: 'change-set' as const,
      body: new Uint8Array([1, 2, 3]),
    };
    await bus.publisherFor('west', queueOf('west')).publish([poison]);
    await east.customers.put(ID, customer('ada@example.org'));
    await clock.advance(20_000);
    expect(await west.customers.get(ID)).toBeDefined();
    expect(west.log.of('message-dead-lettered')).toMatchObject([
      { messageId: 'poison', reason: 'CHANGE_UNDECODABLE', deliveryCount: 1 },
    ]);
    expect(west.process.status()).toMatchObject({
      queue: { deadLetterCount: 1 },
      sinceStart: { deadLettered: 1 },
    });
  });

  test('keeps a batch through an outage of the store and burns no delivery of it', async () => {
    const { clock, bus, east, west } = await setUpTwo();
    await clock.advance(5_000);
    west.store.setOutage(STORE_DOWN);
    await east.customers.put(ID, customer('ada@example.org'));
    await clock.advance(10 * LOCK_MS);
    expect(west.process.liveness()).toEqual({ kind: 'live' });
    expect(west.process.status().peers[0]?.lagMs).toBeGreaterThan(9 * LOCK_MS);
    west.store.setOutage(undefined);
    await clock.advance(20_000);
    expect(await west.customers.get(ID)).toBeDefined();
    expect(bus.deadLettersOf(queueOf('west'))).toEqual([]);
    expect(west.log.of('apply-interrupted').length).toBeLessThan(15);
  });

  test('stops in order: lets the batch end, then the lease and the bus go', async () => {
    const { clock, east, west } = await setUpTwo();
    await clock.advance(5_000);
    const stopped = east.stop();
    await clock.advance(5_000);
    expect(await stopped).toBe(0);
    expect(east.process.readiness()).toMatchObject({ reasons: [{ kind: 'stopping' }] });
    expect(east.process.status().loops.some(({ running }) => running)).toBe(false);
    const steps = east.log.of('shutdown-step-done').map(({ step }) => step);
    expect(steps).toEqual([
      'begin nothing new',
      'finish the batch in hand',
      'release the leases',
      'close the bus',
    ]);
    await west.customers.put(ID, customer('ada@example.org'));
    await clock.advance(5_000);
    expect(await east.customers.get(ID)).toBeUndefined();
  });

  test('lets another process sweep at once when it stops', async () => {
    const { clock, bus } = setUp();
    const store = createMemoryTableStore();
    const first = await createMemoryReplicator({ region: 'east', clock, bus, store });
    const second = await createMemoryReplicator({ region: 'east', clock, bus, store, seed: 2 });
    await first.process.start();
    await clock.advance(2_000);
    const stopped = first.stop();
    await clock.advance(2_000);
    await stopped;
    await second.customers.put(ID, customer('ada@example.org'));
    await second.process.start();
    await clock.advance(5_000);
    expect(await second.outbox()).toEqual([]);
  });

  test('closes its receiver, and what it sends by', async () => {
    const { clock, bus } = setUp();
    const closed: string[] = [];
    const noting = <T extends { close(): Promise<void> }>(what: string, one: T): T => ({
      ...one,
      close: async () => {
        closed.push(what);
        await one.close();
      },
    });
    const east = await createMemoryReplicator({
      region: 'east',
      clock,
      bus: {
        ...bus,
        receiverFor: (queue) => noting('receiver', bus.receiverFor(queue)),
        publisherFor: (peer, queue) => noting(`to ${peer}`, bus.publisherFor(peer, queue)),
      },
    });
    await east.process.start();
    await clock.advance(2_000);
    const stopped = east.stop();
    await clock.advance(2_000);
    expect(await stopped).toBe(0);
    expect(closed).toEqual(['receiver', 'to west']);
  });

  test.each([
    ['I4: that is older than the tombstones of its table', rowsKind, 'CHANGE_TOO_OLD'],
    ['of what is not replicated', localRowsKind, 'ENTITY_KIND_UNKNOWN'],
  ])('refuses what arrives %s', async (_, kind, reason) => {
    const { clock, bus, west } = await setUpTwo();
    const tableId = openTableId('orders', '0000');
    const tombstones = createTombstoneHorizons({ store: west.store, entityKind: rowsKind.name });
    await tombstones.raise(START_MS, tableId);
    const timeMs = START_MS - 3_600_000;
    const stamp = formatStamp({ timeMs, counter: 0, region: 'east', writer: 'w' });
    const entityId = encodeOpenId(tableId, { partitionKey: 'p', rowKey: 'r' });
    const set: ChangeSet = {
      entityKind: kind.name,
      bucket: entityBucketOf(kind, entityId, bucketCountOf(kind.name, { bucketCount: 2 })),
      stamp,
      changes: [
        {
          entityId,
          operation: 'create',
          state: {
            fields: new Map(),
            alive: stamp,
            base: stamp,
            deleted: undefined,
            vector: new Map([['east', stamp]]),
          },
        },
      ],
    };
    const body = encodeChangeSet(set);
    const message = { messageId: 'late', subject: 'change-set' as const, body };
    await bus.publisherFor('west', queueOf('west')).publish([message]);
    await clock.advance(10_000);
    expect(west.log.of('message-dead-lettered')).toMatchObject([{ messageId: 'late', reason }]);
  });

  test('applies a stamp that is too far ahead of its clock, says so, and does not adopt it', async () => {
    const { clock, bus, west } = await setUpTwo();
    const aheadMs = 3_600_000;
    const stamp = formatStamp({
      timeMs: START_MS + aheadMs,
      counter: 0,
      region: 'east',
      writer: 'w',
    });
    const value = { type: 'String', value: 'ada@example.org' } as const;
    const set: ChangeSet = {
      entityKind: customerKind.name,
      bucket: bucketOf(ID, 2),
      stamp,
      changes: [
        {
          entityId: ID,
          operation: 'create',
          state: {
            fields: new Map([['email', { value, stamp }]]),
            alive: stamp,
            deleted: undefined,
            vector: new Map([['east', stamp]]),
          },
        },
      ],
    };
    const body = encodeChangeSet(set);
    const message = { messageId: 'ahead', subject: 'change-set' as const, body };
    await bus.publisherFor('west', queueOf('west')).publish([message]);
    await clock.advance(10_000);
    expect((await west.customers.get(ID))?.entity.email).toBe('ada@example.org');
    const [line] = west.log.of('clock-drift');
    expect(line).toMatchObject({ stamp, driftMsMax: 60_000 });
    expect(line?.['aheadMs']).toBeGreaterThan(aheadMs - 10_000);
  });

  test('names the settings that wait for a restart, and no value', async () => {
    const { clock, east } = await setUpOne();
    await east.process.start();
    await clock.advance(1_000);
    await east.store.commit({
      table: 'Configuration',
      partitionKey: 'Configuration',
      operations: [
        {
          kind: 'upsert',
          rowKey: 'ServiceBusConnection',
          properties: new Map([['value', { type: 'String', value: 'moved.servicebus.example' }]]),
        },
      ],
    });
    await clock.advance(60_000);
    expect(east.log.of('configuration-changed')).toMatchObject([
      { settings: ['ServiceBusConnection'] },
    ]);
    expect(JSON.stringify(east.log.lines)).not.toContain('moved.servicebus');
  });
});

describe('replicator at the start', () => {
  test('waits for a store that is down, in few words, and is not ready meanwhile', async () => {
    const { clock, east } = await setUpOne();
    east.store.setOutage(STORE_DOWN);
    const started = east.process.start();
    await clock.advance(120_000);
    expect(east.process.readiness()).toMatchObject({ reasons: [{ kind: 'opening' }] });
    expect(east.process.liveness()).toEqual({ kind: 'live' });
    expect(east.log.of('region-not-opened').length).toBeLessThan(5);
    east.store.setOutage(undefined);
    await clock.advance(10_000);
    expect(await started).toEqual({ kind: 'running' });
    expect(east.process.readiness()).toEqual({ kind: 'ready' });
  });

  test('knows of nothing before its region is open', async () => {
    const { clock, east } = await setUpOne();
    expect(east.process.notices()).toBeUndefined();
    expect(east.process.status()).toEqual({
      region: 'east',
      phase: 'opening',
      peers: [],
      backlog: null,
      catchingUpSinceMs: null,
      heartbeatMs: null,
      queue: { reachable: null, oldestMessageAgeMs: null, deadLetterCount: null },
      loops: [],
      notices: [],
      copies: [],
      mirrors: [],
      sinceStart: {
        conflicts: 0,
        relayed: 0,
        deadLettered: 0,
        refused: {},
        received: 0,
        trimmed: {},
        purged: 0,
        copied: 0,
      },
    });
    await east.process.start();
    await clock.advance(1_000);
    expect(east.process.notices()?.current()).toEqual([]);
    expect(east.log.of('settings-overridden')).toEqual([]);
  });

  test('says which settings its environment overrides', async () => {
    const { east } = await setUpOne({ environment: { SWEEP_INTERVAL_MS: '1500' } });
    await east.process.start();
    expect(east.log.of('settings-overridden')).toMatchObject([{ settings: ['Sweep.IntervalMs'] }]);
  });

  test('keeps the settings that it knows, and says so, where one in the table cannot be read', async () => {
    const { clock, east } = await setUpOne();
    await east.process.start();
    const soon = new Map([['value', { type: 'String' as const, value: 'soon' }]]);
    await east.store.commit({
      table: 'Configuration',
      partitionKey: 'Configuration',
      operations: [{ kind: 'upsert', rowKey: 'Sweep.IntervalMs', properties: soon }],
    });
    await clock.advance(45_000);
    expect(east.log.of('configuration-not-refreshed')).toMatchObject([
      { error: { code: 'CONFIGURATION_INVALID' } },
    ]);
    expect(east.process.readiness()).toEqual({ kind: 'ready' });
  });

  test('can be checked before, with all that is wrong in words', async () => {
    const { clock, east } = await setUpOne();
    const check = (environment: Readonly<Record<string, string>>, store: TableStore = east.store) =>
      checkSettings({ region: 'east', kinds: [customerKind], store, clock, environment });
    expect(await check({})).toBeUndefined();
    expect(await check({ SWEEP_INTERVAL_MS: 'soon', TABLES_BUCKET_COUNT: '0' })).toMatch(
      /Sweep\.IntervalMs(.|\n)*Tables\.BucketCount|Tables\.BucketCount(.|\n)*Sweep\.IntervalMs/,
    );
    expect(await check({ TABLES_BUCKET_COUNT: '4' })).toMatch(/bucket/);
    const bug = new Error('is no error of operation');
    const broken: TableStore = { ...east.store, query: () => Promise.reject(bug) };
    await expect(check({}, broken)).rejects.toBe(bug);
  });

  test('can be stopped while it waits for the store', async () => {
    const { clock, east } = await setUpOne();
    east.store.setOutage(STORE_DOWN);
    const started = east.process.start();
    await clock.advance(1_000);
    const stopped = east.stop();
    await clock.advance(1_000);
    expect(await stopped).toBe(0);
    expect(await started).toEqual({ kind: 'stopped' });
  });

  test('gives up for settings that a person must mend, and names them all', async () => {
    const { east } = await setUpOne({
      settings: { 'Peer.Region': undefined, RedundancyServiceBusConnection: undefined },
    });
    const outcome = await east.process.start();
    expect(outcome).toMatchObject({ kind: 'invalid', error: { code: 'CONFIGURATION_INVALID' } });
    expect(outcome.kind === 'invalid' && outcome.error.message).toMatch(
      /Peer\.Region.*RedundancyServiceBusConnection/,
    );
  });

  test('refuses another number of buckets than the tables have', async () => {
    const { clock, bus } = setUp();
    const store = createMemoryTableStore();
    const first = await createMemoryReplicator({ region: 'east', clock, bus, store });
    await first.process.start();
    await store.commit({
      table: 'Configuration',
      partitionKey: 'Configuration',
      operations: [
        {
          kind: 'upsert',
          rowKey: 'Tables.BucketCount',
          properties: new Map([['value', { type: 'String', value: '8' }]]),
        },
      ],
    });
    const second = await createMemoryReplicator({ region: 'east', clock, bus, store });
    expect(await second.process.start()).toMatchObject({ kind: 'invalid' });
  });

  test('has nothing to do where data is kept in memory', async () => {
    const { east } = await setUpOne({ settings: { 'Customer.DataAccess': 'memory' } });
    expect(await east.process.start()).toEqual({ kind: 'nothing-to-do' });
  });
});

describe('replicator of a region without peers', () => {
  test('archives what was left in the outbox, and asks for no bus', async () => {
    const { clock, east } = await setUpOne({
      settings: { 'Customer.DataAccess': 'single-region', ServiceBusConnection: undefined },
    });
    await east.customers.put(ID, customer('ada@example.org'));
    expect(await east.outbox()).toHaveLength(1);
    expect(await east.process.start()).toEqual({ kind: 'running' });
    await clock.advance(5_000);
    expect(await east.outbox()).toEqual([]);
    expect(east.process.readiness()).toEqual({ kind: 'ready' });
    expect(east.process.status()).toMatchObject({
      peers: [],
      queue: { reachable: null },
      sinceStart: { relayed: 1 },
    });
    expect(east.process.status().loops.map(({ name }) => name)).toEqual([
      'sweep',
      'tombstones',
      'retention',
      'copy',
      'mirror',
      'configuration',
    ]);
  });
});
