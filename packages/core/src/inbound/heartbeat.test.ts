import { describe, expect, test } from 'vitest';
import { TransientError } from '../errors.ts';
import { createVirtualClock } from '../memory/virtual-clock.ts';
import type { ChangeSet } from '../model/change-set.ts';
import type { ReplicationProgress } from '../model/progress.ts';
import type { OldestMessage } from '../ports/change-receiver.ts';
import type { Heartbeat } from '../ports/replication-status.ts';
import { formatStamp } from '../time/stamp.ts';
import { NEWEST_WIRE_VERSION } from '../wire/versions.ts';
import { createAppliedCount, createHeartbeatWriter } from './heartbeat.ts';
import { createWatermarkTracker } from './watermark-tracker.ts';

const START_MS = Date.UTC(2026, 0, 1);
const DRIFT_MS = 5_000;
const LAG_MS = 15_000;
const DOWN = new TransientError('BUS_UNAVAILABLE', 'The queue does not answer.');

/** A region with one peer, over a queue and a status row that the test holds in its hands. */
function setUp() {
  const clock = createVirtualClock(START_MS);
  const beats: Heartbeat[] = [];
  const state = {
    oldest: async (): Promise<OldestMessage | undefined> => undefined,
    stored: undefined as ReplicationProgress | undefined,
    isStoreDown: false,
  };
  const tracker = createWatermarkTracker({
    clock,
    peers: ['west'],
    driftMsMax: DRIFT_MS,
    onRefused: (_, why) => expect.fail(why),
  });
  const applied = createAppliedCount();
  const writer = createHeartbeatWriter({
    clock,
    receiver: {
      receive: async () => [],
      settle: async () => 'settled',
      renewLock: async () => 'renewed',
      oldestMessage: () => state.oldest(),
      countDeadLetters: async () => 0,
      close: async () => undefined,
    },
    links: [
      {
        peer: 'west',
        readsPacks: true,
        isOpen: () => true,
        isReachable: () => true,
        publish: async () => 'accepted',
        briefly: (work) => work,
      },
    ],
    status: {
      read: async () => state.stored,
      async beat(heartbeat) {
        if (state.isStoreDown) throw DOWN;
        beats.push(heartbeat);
      },
    },
    tracker,
    settings: {
      lagMsMax: LAG_MS,
      waitMsMax: 600_000,
      heartbeatMsMax: 10_000,
      driftMsMax: DRIFT_MS,
    },
    notices: { current: () => [] },
    applied,
  });
  /** What is written a second later. */
  const beat = async (): Promise<Heartbeat> => {
    await clock.advance(1_000);
    await writer.beatOnce();
    const last = beats.at(-1);
    if (last === undefined) throw new Error('Nothing was written.');
    return last;
  };
  const hear = (sequenceNumber: bigint, more: { appliedMs?: number; soundMs?: number } = {}) =>
    tracker.note({ from: 'west', sequenceNumber, timeMs: clock.nowMs(), ...more });
  return { clock, state, applied, writer, tracker, beat, hear };
}

describe('the heartbeat that a replicator writes', () => {
  test('says which messages its build reads, for who wants to write newer ones', async () => {
    expect(await setUp().beat()).toMatchObject({ readsWireVersion: NEWEST_WIRE_VERSION });
  });

  test('counts by origin what was applied since the last beat that was written', async () => {
    const { state, applied, beat } = setUp();
    const [east, west] = ['east', 'west'].map((region): ChangeSet => {
      const stamp = formatStamp({ timeMs: START_MS, counter: 0, region, writer: 'w' });
      return { stamp, entityKind: 'Customers', bucket: '00', changes: [] };
    });
    if (east === undefined || west === undefined) return;
    applied.note([west, east, west]);
    expect((await beat()).appliedSets).toEqual(new Map(Object.entries({ west: 2, east: 1 })));
    applied.note([west]);
    state.isStoreDown = true;
    await expect(beat()).rejects.toBe(DOWN);
    applied.note([west]);
    state.isStoreDown = false;
    expect((await beat()).appliedSets?.get('west')).toBe(2);
    expect((await beat()).appliedSets?.get('west')).toBe(0);
  });

  test('I14: begins with catching up, and ends that when every peer was heard', async () => {
    const { clock, beat, hear } = setUp();
    const sinceMs = START_MS + 1_000;
    expect(await beat()).toMatchObject({ catchingUpSinceMs: sinceMs, hasBacklog: false });
    expect(await beat()).toMatchObject({ catchingUpSinceMs: sinceMs });
    hear(1n);
    const nowMs = clock.nowMs();
    const caughtUp = await beat();
    expect(caughtUp).toMatchObject({ nowMs: nowMs + 1_000, driftMsMax: DRIFT_MS, notices: [] });
    expect(caughtUp.catchingUpSinceMs).toBeUndefined();
    expect(caughtUp.peers).toEqual([
      { peer: 'west', isReachable: true, passedMs: nowMs, reads: { heardMs: nowMs } },
    ]);
  });

  test.each(['interrupted', 'without a queue'])(
    'catches up anew, once, when it was %s',
    async (how) => {
      const { clock, state, writer, beat, hear } = setUp();
      await beat();
      hear(1n);
      expect((await beat()).catchingUpSinceMs).toBeUndefined();
      if (how === 'interrupted') writer.interrupt();
      else state.oldest = () => Promise.reject(DOWN);
      const anew = await beat();
      expect(anew).toMatchObject({
        catchingUpSinceMs: clock.nowMs(),
        hasBacklog: how === 'without a queue',
      });
      state.oldest = async () => undefined;
      hear(2n);
      expect(await beat()).toMatchObject({ catchingUpSinceMs: undefined, hasBacklog: false });
    },
  );

  test('I14: catches up anew after standing still', async () => {
    const { clock, beat, hear } = setUp();
    await beat();
    hear(1n);
    expect((await beat()).catchingUpSinceMs).toBeUndefined();
    await clock.advance(60_000);
    expect((await beat()).catchingUpSinceMs).toBe(clock.nowMs());
  });

  test('has a backlog while a message waits for longer than a peer may lag', async () => {
    const { clock, state, beat } = setUp();
    const enqueuedAtMs = START_MS + 1_000 - LAG_MS;
    state.oldest = async () => ({ sequenceNumber: 7n, enqueuedAtMs });
    expect(clock.nowMs()).toBe(START_MS);
    expect((await beat()).hasBacklog).toBe(false);
    expect((await beat()).hasBacklog).toBe(true);
  });

  test('I11: has passed no watermark that a message stands before, or that came during the look', async () => {
    const { clock, state, beat, hear } = setUp();
    hear(5n);
    const heardMs = clock.nowMs();
    state.oldest = async () => ({ sequenceNumber: 4n, enqueuedAtMs: START_MS });
    expect((await beat()).peers).toEqual([
      { peer: 'west', isReachable: true, passedMs: undefined, reads: { heardMs } },
    ]);
    state.oldest = async () => {
      hear(6n);
      return undefined;
    };
    expect((await beat()).peers[0]?.passedMs).toBe(heardMs);
    state.oldest = async () => undefined;
    expect((await beat()).peers[0]?.passedMs).toBeGreaterThan(heardMs);
  });

  test('tells of what other replicators have passed, unless no clock can have said it', async () => {
    const { state, beat, hear } = setUp();
    const peer = { peer: 'west', isReachable: false, passedMs: START_MS, soundMs: START_MS + 100 };
    const others = [{ ...peer, peer: 'north', passedMs: START_MS + 500 }, peer];
    state.stored = {
      heartbeatMs: START_MS,
      catchingUpSinceMs: undefined,
      hasBacklog: false,
      peers: others,
    };
    expect((await beat()).peers).toEqual([{ ...peer, isReachable: true }]);
    state.stored = { ...state.stored, heartbeatMs: START_MS + 60_000 };
    expect((await beat()).peers).toEqual([
      { peer: 'west', isReachable: true, passedMs: undefined },
    ]);
    hear(1n, { appliedMs: START_MS + 50, soundMs: START_MS + 300 });
    expect((await beat()).peers[0]).toMatchObject({
      appliedMs: START_MS + 50,
      soundMs: START_MS + 300,
    });
  });

  test('ends with what is no failure of the queue', async () => {
    const { state, writer } = setUp();
    state.oldest = () => Promise.reject(new RangeError('a fault of ours'));
    await expect(writer.beatOnce()).rejects.toThrow('a fault of ours');
  });
});
