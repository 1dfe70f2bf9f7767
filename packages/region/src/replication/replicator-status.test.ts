import {
  type ChangeReceiver,
  createNotices,
  type Heartbeat,
  type Notices,
  REFUSAL_REASONS,
  type SweepReport,
  TransientError,
} from '@tandem/core';
import type { Meter } from '@tandem/telemetry';
import { describe, expect, test } from 'vitest';
import type { DutyHealth } from './duties/run-duties.ts';
import { observeReceiver, observeStatus, observeSweeper } from './observed-ports.ts';
import { measureReplication, measureReplicator } from './replicator-metrics.ts';
import { describeStatus, type ReplicatorStatus, type StatusInput } from './replicator-status.ts';

const NOW_MS = Date.UTC(2026, 0, 1);

const INPUT: StatusInput = {
  nowMs: NOW_MS,
  region: 'east',
  phase: 'running',
  links: [{ peer: 'west', isReachable: () => false }],
  lastBeat: {
    nowMs: NOW_MS - 500,
    catchingUpSinceMs: undefined,
    hasBacklog: false,
    peers: [{ peer: 'west', passedMs: NOW_MS - 7_000, isReachable: true }],
  },
  owedToSinceMs: () => NOW_MS - 1_000,
  driftMsMax: 60_000,
  queue: { isReachable: true, oldestEnqueuedMs: NOW_MS - 3_000, deadLetters: 2 },
  duties: [],
  counts: {
    conflicts: 1,
    relayed: 2,
    deadLettered: 3,
    refused: {},
    received: 4,
    trimmed: {},
    purged: 0,
    copied: 0,
  },
  copies: [],
  mirrors: [],
  notices: [],
};

const COPY = {
  table: 'Orders',
  read: 1,
  written: 1,
  refused: 0,
  stray: 0,
  rowsPerSecond: 1,
  leftMs: null,
  troubleCode: null,
};

test('lag and age are measured at the answer, not when they were last looked at', () => {
  const status = describeStatus(INPUT);
  expect(status.peers).toEqual([
    {
      peer: 'west',
      reachable: false,
      passedMs: NOW_MS - 7_000,
      lagMs: 7_000,
      outboxAgeMs: 1_000,
    },
  ]);
  expect(status.queue).toEqual({ reachable: true, oldestMessageAgeMs: 3_000, deadLetterCount: 2 });
});

test('I11: claims no empty queue and no backlog while the queue cannot be reached', () => {
  const queue = { isReachable: false, oldestEnqueuedMs: undefined, deadLetters: undefined };
  expect(describeStatus({ ...INPUT, queue })).toMatchObject({
    backlog: null,
    queue: { reachable: false, oldestMessageAgeMs: null, deadLetterCount: null },
  });
});

test('says of a peer that was never heard that its lag is not known', () => {
  const status = describeStatus({ ...INPUT, lastBeat: undefined });
  expect(status.peers).toMatchObject([{ passedMs: null, lagMs: null }]);
});

test('says nothing that it does not know', () => {
  const unknown = { ...INPUT, links: [], lastBeat: undefined, queue: undefined };
  expect(describeStatus(unknown)).toMatchObject({
    peers: [],
    backlog: null,
    catchingUpSinceMs: null,
    heartbeatMs: null,
    queue: { reachable: null, oldestMessageAgeMs: null, deadLetterCount: null },
  });
  expect(describeStatus({ ...INPUT, lastBeat: undefined })).toMatchObject({ backlog: null });
  expect(describeStatus({ ...INPUT, owedToSinceMs: () => undefined }).peers).toMatchObject([
    { outboxAgeMs: null },
  ]);
});

test('says what its last heartbeat said, of each peer its own', () => {
  const lastBeat: Heartbeat = {
    nowMs: NOW_MS - 500,
    catchingUpSinceMs: NOW_MS - 9_000,
    hasBacklog: true,
    peers: [
      { peer: 'north', passedMs: NOW_MS - 2_000, isReachable: true },
      { peer: 'west', passedMs: NOW_MS - 7_000, isReachable: true },
    ],
  };
  const links = ['west', 'north'].map((peer) => ({ peer, isReachable: () => peer === 'north' }));
  const owedToSinceMs = (peer: string) => (peer === 'west' ? NOW_MS - 5_000 : NOW_MS - 1);
  expect(describeStatus({ ...INPUT, lastBeat, links, owedToSinceMs })).toMatchObject({
    backlog: true,
    catchingUpSinceMs: NOW_MS - 9_000,
    heartbeatMs: NOW_MS - 500,
    peers: [
      { peer: 'west', reachable: false, lagMs: 7_000, outboxAgeMs: 5_000 },
      { peer: 'north', reachable: true, lagMs: 2_000, outboxAgeMs: 1 },
    ],
  });
});

test('I11: believes no time of a peer, and none that it owes from, that is yet to come', () => {
  const aheadMs = 10_000;
  const peers = [{ peer: 'west', passedMs: NOW_MS + aheadMs, isReachable: true }];
  const ahead: StatusInput = {
    ...INPUT,
    lastBeat: { ...INPUT.lastBeat!, peers },
    owedToSinceMs: () => NOW_MS + aheadMs,
  };
  const judged = (driftMsMax: number) => describeStatus({ ...ahead, driftMsMax }).peers[0];
  expect(judged(aheadMs)).toMatchObject({ lagMs: 0, outboxAgeMs: 0 });
  expect(judged(aheadMs - 1)).toMatchObject({ passedMs: null, lagMs: null, outboxAgeMs: null });
  const queue = { ...INPUT.queue!, oldestEnqueuedMs: NOW_MS + aheadMs };
  expect(describeStatus({ ...INPUT, queue }).queue.oldestMessageAgeMs).toBe(0);
});

const HEALTH: DutyHealth = {
  duty: {
    name: 'sweep',
    turn: async () => undefined,
    intervalMs: () => 1_000,
    firstDelayMs: 0,
    isNeededForReady: true,
    stallMs: 1_000,
  },
  name: 'sweep',
  startedMs: NOW_MS,
  isRunning: true,
  lastSuccessMs: undefined,
  lastFailureMs: NOW_MS,
  lastError: undefined,
  roundCount: 1,
  failureCount: 4,
  consecutiveFailureCount: 2,
};

test('gives the code of an error and never its message', () => {
  const error = new TransientError('TABLE_UNAVAILABLE', 'AccountKey=hunter2 does not answer');
  const status = describeStatus({ ...INPUT, duties: [{ ...HEALTH, lastError: error }] });
  expect(status.loops).toEqual([
    {
      name: 'sweep',
      running: true,
      lastSuccessMs: null,
      lastFailureMs: NOW_MS,
      lastErrorCode: 'TABLE_UNAVAILABLE',
      failureCount: 4,
      consecutiveFailureCount: 2,
    },
  ]);
  expect(JSON.stringify(status)).not.toContain('hunter2');
});

test('gives no code where nothing failed, and one word for what is no error of operation', () => {
  const lastError = new TypeError('AccountKey=hunter2 is not a function');
  const status = describeStatus({ ...INPUT, duties: [HEALTH, { ...HEALTH, lastError }] });
  expect(status.loops.map(({ lastErrorCode }) => lastErrorCode)).toEqual([null, 'UNEXPECTED']);
});

describe('what is remembered of', () => {
  const down = new TransientError('BUS_UNAVAILABLE', 'The namespace does not answer.');
  const unknown = { isReachable: undefined, oldestEnqueuedMs: undefined, deadLetters: undefined };

  test('the queue is what it answered last, and nothing from before an outage', async () => {
    let answer: () => number | undefined = () => 3;
    const asked = async <T>(toAnswer: (value: number | undefined) => T): Promise<T> =>
      toAnswer(answer());
    const receiver = observeReceiver({
      oldestMessage: () =>
        asked((ms) => (ms === undefined ? undefined : { sequenceNumber: 1n, enqueuedAtMs: ms })),
      countDeadLetters: () => asked(Number),
    } as Partial<ChangeReceiver> as ChangeReceiver);
    expect(receiver.lastSeen()).toEqual(unknown);
    expect(await receiver.countDeadLetters(1_000)).toBe(3);
    expect(receiver.lastSeen()).toEqual({ ...unknown, isReachable: true, deadLetters: 3 });
    // Whether there is one at all says nothing of how many, but that there is none says all.
    answer = () => 1;
    await receiver.countDeadLetters(1);
    expect(receiver.lastSeen().deadLetters).toBe(3);
    await receiver.countDeadLetters(2);
    expect(receiver.lastSeen().deadLetters).toBe(1);
    answer = () => 0;
    await receiver.countDeadLetters(1);
    expect(receiver.lastSeen().deadLetters).toBe(0);
    answer = () => 5_000;
    expect(await receiver.oldestMessage()).toMatchObject({ enqueuedAtMs: 5_000 });
    expect(receiver.lastSeen()).toEqual({
      isReachable: true,
      deadLetters: 0,
      oldestEnqueuedMs: 5_000,
    });
    answer = () => {
      throw down;
    };
    await expect(receiver.oldestMessage()).rejects.toBe(down);
    expect(receiver.lastSeen()).toEqual({ ...unknown, isReachable: false });
    answer = () => undefined;
    expect(await receiver.oldestMessage()).toBeUndefined();
    expect(receiver.lastSeen()).toEqual({ ...unknown, isReachable: true });
  });

  test('the heartbeat is the one that was written', async () => {
    let isDown = false;
    const status = observeStatus({
      read: async () => undefined,
      async beat() {
        if (isDown) throw down;
      },
    });
    expect(status.lastBeat()).toBeUndefined();
    await status.beat(INPUT.lastBeat!);
    isDown = true;
    await expect(status.beat({ ...INPUT.lastBeat!, nowMs: NOW_MS })).rejects.toBe(down);
    expect(status.lastBeat()).toEqual(INPUT.lastBeat);
  });

  test('the sweep is from when on each peer is owed something, until another process sweeps', async () => {
    let report: SweepReport | undefined;
    const sweeper = observeSweeper({ sweepOnce: async () => report });
    const swept = async (...watermarks: readonly (readonly [string, number])[]) => {
      report = {
        relayed: 0,
        watermarks: new Map(watermarks),
        sound: new Map(),
        failure: undefined,
      };
      expect(await sweeper.sweepOnce()).toBe(report);
    };
    expect(sweeper.owedSinceMs()).toBeUndefined();
    await swept(['west', 2_000], ['north', 1_000]);
    expect(sweeper.owedSinceMs()).toBe(1_000);
    expect(sweeper.owedToSinceMs('west')).toBe(2_000);
    // Of west it was not read to the end, and of north it is not known how old what is owed is.
    await swept(['north', 0]);
    expect(sweeper.owedToSinceMs('north')).toBe(1_000);
    await swept(['north', 3_000]);
    expect(sweeper.owedSinceMs()).toBe(2_000);
    report = undefined;
    expect(await sweeper.sweepOnce()).toBeUndefined();
    expect(sweeper.owedSinceMs()).toBeUndefined();
    expect(sweeper.owedToSinceMs('west')).toBeUndefined();
  });
});

/** Returns what each instrument shows, by its name; with what was noticed where there is such. */
function measure(status: ReplicatorStatus, sinceStartMs = 0, notices?: Notices) {
  const clock = { ms: NOW_MS - sinceStartMs };
  const callbacks = new Map<string, (result: object) => void>();
  const counters: string[] = [];
  const instrument = (name: string) => ({
    addCallback: (callback: (result: object) => void) => void callbacks.set(name, callback),
  });
  const meter = {
    createObservableGauge: instrument,
    createObservableCounter: (name: string) => {
      counters.push(name);
      return instrument(name);
    },
  };
  const view = { status: () => status, notices: () => notices };
  const start = notices === undefined ? measureReplication : measureReplicator;
  start(meter as unknown as Meter, view, { nowMs: () => clock.ms });
  clock.ms = NOW_MS;
  const shown: Record<string, (readonly [number, object?])[]> = {};
  for (const [name, callback] of callbacks) {
    const series: (readonly [number, object?])[] = [];
    shown[name] = series;
    callback({
      observe: (value: number, attributes?: object) =>
        void series.push(attributes === undefined ? [value] : [value, attributes]),
    });
  }
  return { shown, counters };
}

describe('what is measured of it', () => {
  const known: ReplicatorStatus = {
    ...describeStatus(INPUT),
    peers: [
      { peer: 'west', reachable: true, passedMs: 1, lagMs: 7_000, outboxAgeMs: 1_500 },
      { peer: 'north', reachable: false, passedMs: null, lagMs: null, outboxAgeMs: null },
    ],
    loops: [{ ...describeStatus({ ...INPUT, duties: [HEALTH] }).loops[0]! }],
    copies: [
      { ...COPY, table: 'Orders', leftMs: 4_000 },
      { ...COPY, table: 'Events', leftMs: null },
    ],
    mirrors: [
      { table: 'Orders', lagMs: 2_500, rows: 0, refused: 0, troubleCode: null },
      { table: 'Events', lagMs: null, rows: 0, refused: 0, troubleCode: null },
    ],
    sinceStart: {
      conflicts: 1,
      relayed: 2,
      received: 3,
      deadLettered: 4,
      refused: { BUCKET_WRONG: 5 },
      trimmed: { Conflicts: 6 },
      purged: 7,
      copied: 8,
    },
  };

  test('is in seconds, of each peer, table and loop its own, and nothing where nothing is known', () => {
    expect(measure(known, 20_000).shown).toEqual({
      'tandem.replication.lag': [
        [7, { 'tandem.peer': 'west' }],
        // None was heard since the start.
        [20, { 'tandem.peer': 'north' }],
      ],
      'tandem.outbox.age': [[1.5, { 'tandem.peer': 'west' }]],
      'tandem.peer.reachable': [
        [1, { 'tandem.peer': 'west' }],
        [0, { 'tandem.peer': 'north' }],
      ],
      'tandem.queue.reachable': [[1]],
      'tandem.queue.oldest_message.age': [[3]],
      'tandem.queue.dead_letters': [[2]],
      'tandem.catching_up': [[0]],
      'tandem.conflicts': [[1]],
      'tandem.change_sets.swept': [[2]],
      'tandem.messages.received': [[3]],
      'tandem.messages.dead_lettered': [[4]],
      'tandem.messages.refused': REFUSAL_REASONS.map((reason) => [
        reason === 'BUCKET_WRONG' ? 5 : 0,
        { 'tandem.reason': reason },
      ]),
      'tandem.rows.trimmed': [
        [0, { 'tandem.table': 'Archive' }],
        [6, { 'tandem.table': 'Conflicts' }],
      ],
      'tandem.rows.purged': [[7]],
      'tandem.rows.copied': [[8]],
      'tandem.copy.left': [[4, { 'tandem.table': 'Orders' }]],
      'tandem.mirror.lag': [[2.5, { 'tandem.table': 'Orders' }]],
      'tandem.loop.failures': [[4, { 'tandem.loop': 'sweep' }]],
    });
  });

  test('is, besides, what a process of its own has noticed, by kind', () => {
    const notices = createNotices({ clock: { nowMs: () => NOW_MS } });
    for (let time = 0; time < 3; time += 1) notices.note('clock-ahead', 'west', 'It is ahead.');
    const {
      'tandem.notices': current,
      'tandem.notices.met': met,
      ...rest
    } = measure(known, 20_000, notices).shown;
    expect(current).toContainEqual([1, { 'tandem.notice': 'clock-ahead' }]);
    expect(met).toContainEqual([3, { 'tandem.notice': 'clock-ahead' }]);
    expect(rest).toEqual(measure(known, 20_000).shown);
  });

  test('is a counter where it only grows', () => {
    expect(measure(known).counters).toEqual([
      'tandem.conflicts',
      'tandem.change_sets.swept',
      'tandem.messages.received',
      'tandem.messages.dead_lettered',
      'tandem.messages.refused',
      'tandem.rows.trimmed',
      'tandem.rows.purged',
      'tandem.rows.copied',
      'tandem.loop.failures',
    ]);
  });

  test.each([
    [{ reachable: true, oldestMessageAgeMs: null, deadLetterCount: 0 }, [[0]]],
    [{ reachable: false, oldestMessageAgeMs: 3_000, deadLetterCount: 0 }, []],
    [{ reachable: null, oldestMessageAgeMs: null, deadLetterCount: 0 }, []],
  ])('I11: shows no age of the oldest message but of a queue that answers: %j', (queue, age) => {
    expect(measure({ ...known, queue }).shown['tandem.queue.oldest_message.age']).toEqual(age);
  });

  test.each([
    ['opening', null, 1],
    ['stopping', null, 1],
    ['running', NOW_MS, 1],
    ['running', null, 0],
  ] as const)(
    'shows whether the region catches up: %s since %j',
    (phase, catchingUpSinceMs, is) => {
      const { shown } = measure({ ...known, phase, catchingUpSinceMs });
      expect(shown['tandem.catching_up']).toEqual([[is]]);
    },
  );

  test('shows no lag below zero where the clock was set back', () => {
    const { shown } = measure(known, -5_000);
    expect(shown['tandem.replication.lag']).toContainEqual([0, { 'tandem.peer': 'north' }]);
  });
});
