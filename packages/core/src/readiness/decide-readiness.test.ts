import { describe, expect, test } from 'vitest';
import type { ReplicationProgress } from '../model/progress.ts';
import {
  decideReadiness,
  type ReadinessInput,
  type ReadinessSettings,
} from './decide-readiness.ts';

const NOW_MS = 1_000_000;
const SETTINGS: ReadinessSettings = {
  lagMsMax: 15_000,
  waitMsMax: 600_000,
  heartbeatMsMax: 10_000,
  driftMsMax: 60_000,
};

const CAUGHT_UP: ReplicationProgress = {
  heartbeatMs: NOW_MS - 1_000,
  catchingUpSinceMs: undefined,
  hasBacklog: false,
  peers: [{ peer: 'west', passedMs: NOW_MS - 2_000, isReachable: true }],
};

function peer(
  passedAgoMs: number | undefined,
  isReachable: boolean,
  name = 'west',
): ReplicationProgress['peers'] {
  const passedMs = passedAgoMs === undefined ? undefined : NOW_MS - passedAgoMs;
  return [{ peer: name, passedMs, isReachable }];
}

function decide(
  progress: Partial<ReplicationProgress>,
  input: Partial<ReadinessInput> = {},
): string {
  const verdict = decideReadiness(
    {
      nowMs: NOW_MS,
      startedMs: NOW_MS - 60_000,
      isStoreAnswering: true,
      hasPeers: true,
      progress: { ...CAUGHT_UP, ...progress },
      ...input,
    },
    SETTINGS,
  );
  return verdict.kind === 'ready' ? 'ready' : verdict.reasons.map(({ kind }) => kind).join(',');
}

describe('I14: a region that is behind never reports ready', () => {
  const justStarted = { catchingUpSinceMs: NOW_MS - 5_000 };

  test.each<[string, Partial<ReplicationProgress>, string]>([
    ['caught up', {}, 'ready'],
    [
      'just started, nothing heard from a reachable peer yet',
      { ...justStarted, peers: peer(undefined, true) },
      'behind',
    ],
    [
      'just started, last heard before the outage, queue empty',
      { ...justStarted, peers: peer(3_600_000, true) },
      'behind',
    ],
    [
      'just started, a peer that is down',
      { ...justStarted, peers: peer(3_600_000, false) },
      'ready',
    ],
    [
      'just started, one of two peers passed and the other is behind',
      { ...justStarted, peers: [...peer(100, true), ...peer(3_600_000, true, 'north')] },
      'behind',
    ],
    [
      'just started, one of two peers passed and the other is down',
      { ...justStarted, peers: [...peer(100, true), ...peer(3_600_000, false, 'north')] },
      'ready',
    ],
    [
      'just started, a peer that is down but left a backlog',
      { ...justStarted, peers: peer(3_600_000, false), hasBacklog: true },
      'behind',
    ],
    [
      'just started again, a watermark from just before the outage',
      { ...justStarted, peers: peer(5_001, true) },
      'behind',
    ],
    ['just started, fresh watermark passed', { ...justStarted, peers: peer(1_000, true) }, 'ready'],
    [
      'waited as long as it may',
      { catchingUpSinceMs: NOW_MS - 600_000, peers: peer(undefined, true), hasBacklog: true },
      'ready',
    ],
    ['caught up once, then the peer fell silent', { peers: peer(60_000, false) }, 'ready'],
    [
      'caught up once, then fell behind its queue',
      { peers: peer(60_000, true), hasBacklog: true },
      'behind',
    ],
    ['the replicator died', { heartbeatMs: NOW_MS - 10_001 }, 'replicator-not-heard'],
    [
      'one of two peers not caught up with',
      {
        ...justStarted,
        peers: [...peer(1_000, true), { peer: 'north', passedMs: undefined, isReachable: true }],
      },
      'behind',
    ],
  ])('%s', (_, progress, expected) => expect(decide(progress)).toBe(expected));

  test('a store that does not answer is not ready', () => {
    expect(decide({}, { isStoreAnswering: false })).toBe('store-not-answering');
  });

  test('a region whose replicator never ran is not ready', () => {
    expect(decide({}, { progress: undefined })).toBe('replicator-not-heard');
  });

  test('a heartbeat from before the asking process began says nothing of now', () => {
    expect(decide({ heartbeatMs: NOW_MS - 500 }, { startedMs: NOW_MS - 400 })).toBe(
      'replicator-not-heard',
    );
  });

  test('a process that began by a clock which ran ahead believes heartbeats once that is right', () => {
    expect(decide({ heartbeatMs: NOW_MS - 500 }, { startedMs: NOW_MS + 365 * 86_400_000 })).toBe(
      'ready',
    );
  });

  test('a region that is out for a drill is not ready, and is again when the drill is over', () => {
    expect(decide({}, { drill: { id: 'a', untilMs: NOW_MS + 1 } })).toBe('out-for-drill');
    const over = { drill: { id: 'a', untilMs: NOW_MS - 2_000 } };
    expect(decide({ heartbeatMs: NOW_MS - 1_999 }, over)).toBe('ready');
  });

  test('a heartbeat from before the end of a drill says nothing of what was missed', () => {
    const over = { drill: { id: 'a', untilMs: NOW_MS - 2_000 } };
    expect(decide({ heartbeatMs: NOW_MS - 2_001 }, over)).toBe('replicator-not-heard');
  });

  const YEAR_MS = 365 * 86_400_000;

  test.each([
    ['its replicator’s clock was a year ahead', { heartbeatMs: NOW_MS + YEAR_MS }],
    [
      'the clocks of all were',
      { heartbeatMs: NOW_MS + YEAR_MS, peers: peer(-YEAR_MS, true), ...justStarted },
    ],
  ])('A3, I16: a dead replicator does not look alive because %s', (_, progress) => {
    expect(decide(progress)).toBe('replicator-not-heard');
  });

  test('A3: what a peer said of a time to come vouches for nothing', () => {
    const wrong = { ...justStarted, peers: peer(-YEAR_MS, true) };
    expect(decide({ ...wrong, hasBacklog: true })).toBe('behind');
  });

  test('A3: catching up that began by a clock which was ahead has not lasted long enough', () => {
    const since = { catchingUpSinceMs: NOW_MS + YEAR_MS, peers: peer(60_000, true) };
    expect(decide({ ...since, hasBacklog: true })).toBe('behind');
  });

  test('A7: nobody waits for what is damaged in the outbox of a peer', () => {
    const [told] = peer(600_000, true);
    const sound = { ...justStarted, peers: [{ ...told!, soundMs: NOW_MS - 500 }] };
    expect(decide(sound)).toBe('ready');
  });

  test('a region without peers needs no replicator', () => {
    expect(decide({}, { progress: undefined, hasPeers: false })).toBe('ready');
  });
});
