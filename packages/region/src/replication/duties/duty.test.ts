// The duties that are a few lines each; those with a state of their own have tests beside them.
import { type Outbox, type OutboxEntry, TransientError } from '@tandem/core';
import { createVirtualClock } from '@tandem/core/memory';
import { describe, expect, test } from 'vitest';
import type { RegionTables } from '../../region-tables.ts';
import { recordLog } from '../../testing/record-log.ts';
import { createActivity } from '../activity.ts';
import { createArchiveSweeper, createDeadLetterDuty, createSweepDuty } from './queue-duties.ts';
import { createConfigurationDuty, createHeartbeatDuty } from './region-duties.ts';

const { signal } = new AbortController();

test('the configuration is read anew, and what waits for a restart is named once, without its value', async () => {
  const log = recordLog();
  const refreshed = [
    { 'Peer.Region': 'west', 'Tombstone.AgeMs': '1', Peers: undefined },
    { 'Peer.Region': 'north', 'Tombstone.AgeMs': '1', Peers: 'secret' },
    { 'Peer.Region': 'north', 'Tombstone.AgeMs': '2', Peers: 'secret' },
  ];
  let current: Readonly<Record<string, string | undefined>> | undefined = refreshed[0];
  const duty = createConfigurationDuty({
    logger: log.logger,
    refresh: async () => {
      current = refreshed.shift() ?? current;
    },
    readAtStart: () => new Map(Object.entries(current ?? {})),
  });
  expect(duty).toMatchObject({ name: 'configuration', isNeededForReady: false });
  expect(duty.firstDelayMs).toBe(duty.intervalMs());
  for (let turn = 0; turn < 4; turn += 1) await duty.turn(signal);
  expect(log.of('configuration-changed').map(({ settings }) => settings)).toEqual([
    ['Peer.Region', 'Peers'],
    ['Tombstone.AgeMs'],
  ]);
  expect(JSON.stringify(log.lines)).not.toContain('secret');
});

test('dead letters are counted at once and again and again, and need not be counted to be ready', async () => {
  const counted: number[] = [];
  const countDeadLetters = async (countMax: number) => counted.push(countMax);
  const duty = createDeadLetterDuty({ receiver: { countDeadLetters } });
  expect(duty).toMatchObject({ firstDelayMs: 0, isNeededForReady: false });
  expect(duty.intervalMs()).toBeGreaterThan(0);
  await duty.turn(signal);
  expect(counted).toEqual([1_000]);
});

test('a sweep is needed to be ready, begins at once, and what it relayed is counted', async () => {
  const activity = createActivity({
    driftMsMax: 60_000,
    logger: recordLog().logger,
    clock: createVirtualClock(0),
  });
  const report = { watermarks: new Map(), sound: new Map(), failure: undefined };
  const reports = [{ ...report, relayed: 3 }, undefined, { ...report, relayed: 4 }];
  const duty = createSweepDuty({
    sweeper: { sweepOnce: async () => reports.shift() },
    activity,
    intervalMs: () => 500,
  });
  expect(duty).toMatchObject({ firstDelayMs: 0, isNeededForReady: true });
  expect(duty.intervalMs()).toBe(500);
  for (let turn = 0; turn < 3; turn += 1) await duty.turn(signal);
  expect(activity.counts().relayed).toBe(7);
});

describe('the heartbeat', () => {
  const setUp = (look: () => Promise<void>, isOut: boolean) => {
    const calls: string[] = [];
    const duty = createHeartbeatDuty({
      replicator: {
        beatOnce: async () => void calls.push('beat'),
        interrupt: () => void calls.push('interrupt'),
      },
      drillRest: {
        look: async () => {
          calls.push('look');
          await look();
        },
        isOut: () => isOut,
      },
    });
    return { calls, duty };
  };

  test('I14: of a region that is out for a drill is silent, and catches up afterwards', async () => {
    const { calls, duty } = setUp(async () => undefined, true);
    await duty.turn(signal);
    expect(calls).toEqual(['look', 'interrupt']);
  });

  test('of any other is written, once the order of a drill was looked for', async () => {
    const { calls, duty } = setUp(async () => undefined, false);
    expect(duty).toMatchObject({ firstDelayMs: 0, isNeededForReady: false });
    expect(duty.intervalMs()).toBe(1_000);
    await duty.turn(signal);
    expect(calls).toEqual(['look', 'beat']);
  });

  test('is not written while nobody knows whether there is a drill', async () => {
    const down = new TransientError('TABLE_UNAVAILABLE', 'The table does not answer.');
    const { calls, duty } = setUp(() => Promise.reject(down), false);
    await expect(duty.turn(signal)).rejects.toBe(down);
    expect(calls).toEqual(['look']);
  });
});

describe('the sweep of a region without peers', () => {
  const GRACE_MS = 2_000;
  const setUp = ({ holdsLease = true, failure }: { holdsLease?: boolean; failure?: Error }) => {
    const clock = createVirtualClock(Date.UTC(2026, 0, 1));
    const activity = createActivity({ driftMsMax: 60_000, logger: recordLog().logger, clock });
    const leasesMs: number[] = [];
    const relayed: OutboxEntry[] = [];
    const committed = (committedAfterMs: number) =>
      ({ committedAfterMs, owed: [], set: {} }) as unknown as OutboxEntry;
    const old = committed(clock.nowMs() - GRACE_MS);
    const entries = [old, committed(clock.nowMs() - GRACE_MS + 1)];
    const outbox: Outbox = {
      entityKind: 'Customers',
      buckets: ['00'],
      scan: async () => ({ entries, unreadable: ['damaged'], aside: [] }),
      remove: async () => undefined,
      park: async () => undefined,
      settle: async () => 'gone',
    };
    const sweeper = createArchiveSweeper({
      sweepLease: {
        acquire: async (durationMs) => {
          leasesMs.push(durationMs);
          return holdsLease;
        },
        release: async () => undefined,
      },
      leaseMs: 9_000,
      store: { query: async () => ({ rows: [] }) },
      // Only what a sweep asks of them.
      tables: { outboxes: new Map([['Customers', outbox]]) } as unknown as RegionTables,
      relay: {
        relay: async (due) => {
          if (failure !== undefined) throw failure;
          relayed.push(...due);
          return { relayed: due.length, owed: [] };
        },
      },
      clock,
      settings: { sweepGraceMs: GRACE_MS },
      activity,
    });
    return { sweeper, leasesMs, relayed, old, activity };
  };

  test('relays what is older than the grace, under its lease, and names what nobody can read', async () => {
    const { sweeper, leasesMs, relayed, old, activity } = setUp({});
    expect(await sweeper.sweepOnce()).toMatchObject({ relayed: 1, failure: undefined });
    expect(relayed).toEqual([old]);
    expect(leasesMs).toEqual([9_000]);
    expect(activity.notices.count('outbox-row-damaged')).toBe(1);
  });

  test('is left to the process that has the lease', async () => {
    const { sweeper, relayed } = setUp({ holdsLease: false });
    expect(await sweeper.sweepOnce()).toBeUndefined();
    expect(relayed).toEqual([]);
  });

  test('fails with what the archive fails with', async () => {
    const failure = new TransientError('TABLE_UNAVAILABLE', 'The archive does not answer.');
    await expect(setUp({ failure }).sweeper.sweepOnce()).rejects.toBe(failure);
  });
});
