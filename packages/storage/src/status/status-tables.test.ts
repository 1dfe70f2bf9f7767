import { type Clock, type DrillSwitch, TransientError } from '@tandem/core';
import { createMemoryTableStore, createVirtualClock } from '@tandem/core/memory';
import { describe, expect, test } from 'vitest';
import { createFaultyStore } from '../testing/faulty-store.ts';
import { REPLICATION_TABLE } from './status-row.ts';
import {
  createTableDrillSwitch,
  createTableLease,
  createTableProof,
  createTableRegionHold,
} from './status-tables.ts';
import { mirrorLagMs } from './table-records.ts';

const NOW_MS = Date.UTC(2026, 10, 22);
const OWN_CLOCK = { nowMs: NOW_MS, driftMsMax: 60_000 };

async function createSwitch(): Promise<DrillSwitch> {
  return (await createSwitchOver()).drill;
}

async function createSwitchOver() {
  const store = createFaultyStore(createMemoryTableStore());
  await store.createTable(REPLICATION_TABLE);
  return { store, drill: createTableDrillSwitch({ store }) };
}

test('I16: a mirror whose pass began in a time to come says no lag, and one of a while ago does', () => {
  expect(mirrorLagMs({ equalMs: NOW_MS + 366 * 86_400_000 }, OWN_CLOCK)).toBeNull();
  const drifting = { ...OWN_CLOCK, driftMsMax: 60_001 };
  expect(mirrorLagMs({ equalMs: NOW_MS + 60_001 }, OWN_CLOCK)).toBeNull();
  expect(mirrorLagMs({ equalMs: NOW_MS + 60_001 }, drifting)).toBe(0);
  expect(mirrorLagMs({ equalMs: 0 }, OWN_CLOCK)).toBeNull();
  expect(mirrorLagMs({ equalMs: NOW_MS + 1_000 }, OWN_CLOCK)).toBe(0);
  expect(mirrorLagMs({ equalMs: NOW_MS - 1_000 }, OWN_CLOCK)).toBe(1_000);
});

test('an order is there until it is ended, and only by its own id', async () => {
  const drill = await createSwitch();
  expect(await drill.read()).toBeUndefined();
  const order = { id: 'a', untilMs: NOW_MS + 60_000 };
  expect(await drill.begin(order, NOW_MS)).toBe('begun');
  await drill.end('b', NOW_MS + 1);
  expect(await drill.read()).toEqual(order);
  await drill.end('a', NOW_MS + 2);
  await drill.end('a', NOW_MS + 3);
  expect(await drill.read()).toEqual({ id: 'a', untilMs: NOW_MS + 2 });
});

test('one drill at a time; the same one may be prolonged, and one that is over replaced', async () => {
  const drill = await createSwitch();
  await drill.begin({ id: 'a', untilMs: NOW_MS + 60_000 }, NOW_MS);
  expect(await drill.begin({ id: 'b', untilMs: NOW_MS + 60_000 }, NOW_MS)).toBe('taken');
  expect(await drill.begin({ id: 'a', untilMs: NOW_MS + 90_000 }, NOW_MS)).toBe('begun');
  expect(await drill.begin({ id: 'b', untilMs: NOW_MS + 99_000 }, NOW_MS + 90_000)).toBe('begun');
});

test('a drill that is over stays as it ended, and one that nobody ordered cannot be ended', async () => {
  const drill = await createSwitch();
  await drill.end('a', NOW_MS);
  expect(await drill.read()).toBeUndefined();
  await drill.begin({ id: 'a', untilMs: NOW_MS + 60_000 }, NOW_MS);
  await drill.end('a', NOW_MS + 60_000);
  await drill.end('a', NOW_MS + 70_000);
  expect(await drill.read()).toEqual({ id: 'a', untilMs: NOW_MS + 60_000 });
});

test.each(['first', 'next'])(
  'of two that begin the %s drill at once one is told that it is taken',
  async (which) => {
    const { store, drill } = await createSwitchOver();
    if (which === 'next') await drill.begin({ id: 'z', untilMs: NOW_MS }, NOW_MS - 1);
    store.beforeCommit(async () => {
      store.beforeCommit(() => undefined);
      expect(await drill.begin({ id: 'b', untilMs: NOW_MS + 60_000 }, NOW_MS)).toBe('begun');
    });
    expect(await drill.begin({ id: 'a', untilMs: NOW_MS + 60_000 }, NOW_MS)).toBe('taken');
    expect(await drill.read()).toMatchObject({ id: 'b' });
  },
);

test.each([
  { id: 'a' },
  { until: new Date(NOW_MS + 60_000).toISOString() },
  { id: 'a', until: 'for ever' },
])('an order that nobody can read (%j) is none, and the next takes its place', async (texts) => {
  const { store, drill } = await createSwitchOver();
  const properties = new Map(
    Object.entries(texts).map(([name, value]) => [name, { type: 'String' as const, value }]),
  );
  const operations = [{ kind: 'insert' as const, rowKey: 'drill', properties }];
  await store.commit({ table: REPLICATION_TABLE, partitionKey: 'status', operations });
  expect(await drill.read()).toBeUndefined();
  await drill.end('a', NOW_MS);
  expect(await drill.begin({ id: 'b', untilMs: NOW_MS + 5 }, NOW_MS)).toBe('begun');
  expect(await drill.read()).toEqual({ id: 'b', untilMs: NOW_MS + 5 });
});

const DURATION_MS = 10_000;
const HOUR_MS = 3_600_000;
const SKEW_MS = 60_000;

async function setUpLease() {
  const store = createFaultyStore(createMemoryTableStore());
  await store.createTable(REPLICATION_TABLE);
  const clock = createVirtualClock(Date.UTC(2026, 0, 1));
  const leaseOf = (holder: string, aheadMs = 0) => {
    const skewed: Clock = { ...clock, nowMs: () => clock.nowMs() + aheadMs };
    return createTableLease({ store, clock: skewed, name: 'sweep', holder });
  };
  return { store, clock, leaseOf };
}

describe('a lease', () => {
  test('is held by one at a time, until it ends', async () => {
    const { clock, leaseOf } = await setUpLease();
    expect(await leaseOf('a').acquire(DURATION_MS)).toBe(true);
    expect(await leaseOf('b').acquire(DURATION_MS)).toBe(false);
    expect(await leaseOf('a').acquire(DURATION_MS)).toBe(true);
    await clock.advance(DURATION_MS);
    expect(await leaseOf('b').acquire(DURATION_MS)).toBe(true);
  });

  test('taken by a clock that ran far ahead is free to others, since its holder may be dead', async () => {
    const { leaseOf } = await setUpLease();
    expect(await leaseOf('a', HOUR_MS).acquire(DURATION_MS)).toBe(true);
    expect(await leaseOf('b').acquire(DURATION_MS)).toBe(true);
  });

  test('that was taken over is not renewed by what its former holder remembers', async () => {
    const { clock, leaseOf } = await setUpLease();
    const former = leaseOf('a');
    expect(await former.acquire(DURATION_MS)).toBe(true);
    await clock.advance(DURATION_MS);
    expect(await leaseOf('b').acquire(DURATION_MS)).toBe(true);
    expect(await former.acquire(DURATION_MS)).toBe(false);
  });

  test('whose renewal was cut off is renewed by the next', async () => {
    const { store, leaseOf } = await setUpLease();
    const holder = leaseOf('a');
    await holder.acquire(DURATION_MS);
    store.beforeCommit(() => Promise.reject(new Error('cut off')));
    await expect(holder.acquire(DURATION_MS)).rejects.toThrow('cut off');
    store.beforeCommit(() => undefined);
    expect(await holder.acquire(DURATION_MS)).toBe(true);
  });

  test('released is free', async () => {
    const { leaseOf } = await setUpLease();
    await leaseOf('a').acquire(DURATION_MS);
    await leaseOf('a').release();
    expect(await leaseOf('b').acquire(DURATION_MS)).toBe(true);
  });

  test('is released by its holder alone', async () => {
    const { leaseOf } = await setUpLease();
    await leaseOf('b').release();
    await leaseOf('a').acquire(DURATION_MS);
    await leaseOf('b').release();
    expect(await leaseOf('b').acquire(DURATION_MS)).toBe(false);
    expect(await leaseOf('a').acquire(DURATION_MS)).toBe(true);
  });

  test('that was taken over is not released by its former holder', async () => {
    const { clock, leaseOf } = await setUpLease();
    await leaseOf('a').acquire(DURATION_MS);
    await clock.advance(DURATION_MS);
    await leaseOf('b').acquire(DURATION_MS);
    await leaseOf('a').release();
    expect(await leaseOf('c').acquire(DURATION_MS)).toBe(false);
  });

  test('that is taken over while it is released stays with whoever took it', async () => {
    const { store, clock, leaseOf } = await setUpLease();
    await leaseOf('a').acquire(DURATION_MS);
    await clock.advance(DURATION_MS);
    store.beforeCommit(async () => {
      store.beforeCommit(() => undefined);
      expect(await leaseOf('b').acquire(DURATION_MS)).toBe(true);
    });
    await leaseOf('a').release();
    expect(await leaseOf('c').acquire(DURATION_MS)).toBe(false);
  });

  test.each(['that nobody has', 'that has ended'])('%s goes to one of two', async (which) => {
    const { store, clock, leaseOf } = await setUpLease();
    if (which === 'that has ended') {
      await leaseOf('z').acquire(DURATION_MS);
      await clock.advance(DURATION_MS);
    }
    store.beforeCommit(async () => {
      store.beforeCommit(() => undefined);
      expect(await leaseOf('b').acquire(DURATION_MS)).toBe(true);
    });
    expect(await leaseOf('a').acquire(DURATION_MS)).toBe(false);
  });

  test('ends neither sooner nor later than it was taken for', async () => {
    const { clock, leaseOf } = await setUpLease();
    await leaseOf('a').acquire(DURATION_MS);
    await clock.advance(DURATION_MS - 1);
    expect(await leaseOf('b').acquire(DURATION_MS)).toBe(false);
    await clock.advance(1);
    expect(await leaseOf('b').acquire(DURATION_MS)).toBe(true);
    await clock.advance(DURATION_MS - 1);
    await leaseOf('b').acquire(DURATION_MS);
    await clock.advance(DURATION_MS - 1);
    expect(await leaseOf('a').acquire(DURATION_MS)).toBe(false);
  });

  test('of a clock that is ahead by no more than clocks may be is honoured', async () => {
    const { leaseOf } = await setUpLease();
    await leaseOf('a', SKEW_MS).acquire(DURATION_MS);
    expect(await leaseOf('b').acquire(DURATION_MS)).toBe(false);
    await leaseOf('a', SKEW_MS + 1).acquire(DURATION_MS);
    expect(await leaseOf('b').acquire(DURATION_MS)).toBe(true);
  });

  test('whose end nobody can read is free', async () => {
    const { store, leaseOf } = await setUpLease();
    const properties = new Map([
      ['holder', { type: 'String' as const, value: 'a' }],
      ['untilMs', { type: 'String' as const, value: '9999999999999' }],
    ]);
    const operations = [{ kind: 'insert' as const, rowKey: 'sweep', properties }];
    await store.commit({ table: REPLICATION_TABLE, partitionKey: 'lease', operations });
    expect(await leaseOf('b').acquire(DURATION_MS)).toBe(true);
    expect(await leaseOf('a').acquire(DURATION_MS)).toBe(false);
  });
});

async function setUpProof() {
  const store = createMemoryTableStore();
  await store.createTable(REPLICATION_TABLE);
  return { store, proof: createTableProof({ store }) };
}

test('the newest proof is there, with its time and its regions, and none before there is one', async () => {
  const { proof } = await setUpProof();
  expect(await proof.read()).toBeUndefined();
  await proof.keep({ asOfMs: 5, regions: ['east', 'west'] });
  await proof.keep({ asOfMs: 1_234, regions: ['east', 'north', 'west'] });
  expect(await proof.read()).toEqual({ asOfMs: 1_234, regions: ['east', 'north', 'west'] });
});

test.each([
  new Map(),
  new Map([['regions', { type: 'String' as const, value: 'east,west' }]]),
  new Map([['asOf', { type: 'String' as const, value: 'yesterday' }]]),
])('I16: a row that says no time proves nothing', async (properties) => {
  const { store, proof } = await setUpProof();
  const operations = [{ kind: 'insert' as const, rowKey: 'proof', properties }];
  await store.commit({ table: REPLICATION_TABLE, partitionKey: 'status', operations });
  expect(await proof.read()).toBeUndefined();
  await proof.keep({ asOfMs: 5, regions: [] });
  expect(await proof.read()).toMatchObject({ asOfMs: 5 });
});

test('a hold is there until it is released, releasing can be repeated, and a newer one stays', async () => {
  const store = createMemoryTableStore();
  await store.createTable(REPLICATION_TABLE);
  const hold = createTableRegionHold({ store });
  expect(await hold.read()).toBeUndefined();
  await hold.set({ reason: 'is rebuilt', sinceMs: 5 });
  expect(await hold.read()).toEqual({ reason: 'is rebuilt', sinceMs: 5 });
  const seen = (await hold.read())!;
  await hold.release(seen);
  await hold.release(seen);
  expect(await hold.read()).toBeUndefined();
  await hold.set({ reason: 'Lost table: Archive.', sinceMs: 6 });
  const refused = { code: 'RECOVERY_REFUSED', message: expect.stringContaining('Lost table') };
  await expect(hold.release(seen)).rejects.toMatchObject(refused);
  await expect(hold.release({ ...seen, sinceMs: 6 })).rejects.toMatchObject(refused);
  expect(await hold.read()).toMatchObject({ reason: 'Lost table: Archive.' });
});

test('a hold that the store sets long after it was asked to holds nothing that was let go since', async () => {
  const store = createMemoryTableStore();
  await store.createTable(REPLICATION_TABLE);
  const late: (() => Promise<unknown>)[] = [];
  const slow = createTableRegionHold({
    store: {
      ...store,
      async commit(transaction) {
        late.push(() => store.commit(transaction));
        throw new TransientError('TABLE_OUTCOME_UNKNOWN', 'no answer');
      },
    },
  });
  const first = { reason: 'is rebuilt', sinceMs: 5 };
  await expect(slow.set(first)).rejects.toMatchObject({ code: 'TABLE_OUTCOME_UNKNOWN' });
  const hold = createTableRegionHold({ store });
  await hold.set({ ...first, sinceMs: 6 });
  await hold.release({ ...first, sinceMs: 6 });
  for (const commit of late) await commit();
  expect(await hold.read()).toBeUndefined();
});

test('a hold that is set while another is being released stays', async () => {
  const store = createMemoryTableStore();
  await store.createTable(REPLICATION_TABLE);
  const first = { reason: 'is rebuilt', sinceMs: 5 };
  await createTableRegionHold({ store }).set(first);
  const hold = createTableRegionHold({
    store: {
      ...store,
      async commit(transaction) {
        await createTableRegionHold({ store }).set({ reason: 'is rebuilt anew', sinceMs: 6 });
        return store.commit(transaction);
      },
    },
  });
  await expect(hold.release(first)).rejects.toMatchObject({ code: 'RECOVERY_REFUSED' });
  expect(await hold.read()).toEqual({ reason: 'is rebuilt anew', sinceMs: 6 });
});

test('a hold that nobody can read holds all the same', async () => {
  const store = createMemoryTableStore();
  await store.createTable(REPLICATION_TABLE);
  const operations = [{ kind: 'insert' as const, rowKey: 'hold', properties: new Map() }];
  await store.commit({ table: REPLICATION_TABLE, partitionKey: 'status', operations });
  expect(await createTableRegionHold({ store }).read()).toBeDefined();
});
