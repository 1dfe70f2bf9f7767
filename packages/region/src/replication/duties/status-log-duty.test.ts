import { createNotices, type Heartbeat, type SweepReport } from '@tandem/core';
import { createVirtualClock } from '@tandem/core/memory';
import { describe, expect, test } from 'vitest';
import { recordLog } from '../../testing/record-log.ts';
import { observeSweeper } from '../observed-ports.ts';
import { createStatusLogDuty } from './run-duties.ts';

const NOW_MS = Date.UTC(2026, 0, 1);
const DRIFT_MS_MAX = 200_000;
const UNSEEN = { isReachable: undefined, oldestEnqueuedMs: undefined, deadLetters: undefined };

function beatOf(passedMs: number | undefined): Heartbeat {
  return {
    nowMs: NOW_MS,
    catchingUpSinceMs: undefined,
    hasBacklog: false,
    peers: [{ peer: 'west', isReachable: true, passedMs }],
  };
}

function setUp(reports: readonly (SweepReport | undefined)[] = []) {
  const clock = createVirtualClock(NOW_MS);
  const log = recordLog();
  const left = [...reports];
  const sweeper = observeSweeper({ sweepOnce: async () => left.shift() });
  let beat: Heartbeat | undefined;
  let conflicts = 0;
  const notices = createNotices({ clock });
  const duty = createStatusLogDuty({
    clock,
    logger: log.logger,
    links: ['west', 'north'].map((peer) => ({ peer, isReachable: () => true })),
    driftMsMax: DRIFT_MS_MAX,
    status: { lastBeat: () => beat },
    sweeper,
    receiver: { lastSeen: () => ({ ...UNSEEN, deadLetters: 3 }) },
    activity: { notices, counts: () => ({ conflicts }) },
  });
  return {
    clock,
    sweeper,
    notices,
    conflict: () => void (conflicts += 1),
    heartbeat: (next: Heartbeat) => {
      beat = next;
    },
    async line() {
      await duty.turn(new AbortController().signal);
      return log.lines.at(-1);
    },
  };
}

const swept = (watermarks: Record<string, number>): SweepReport => ({
  relayed: 0,
  watermarks: new Map(Object.entries(watermarks)),
  sound: new Map(Object.entries(watermarks)),
  failure: undefined,
});

describe('the line that alerts are made from', () => {
  test('I16: believes a time to come as far as the setting for clocks says', async () => {
    const { clock, heartbeat, line } = setUp();
    await clock.advance(60_000);
    for (const [aheadMs, lagMs] of [
      [DRIFT_MS_MAX, 0],
      [DRIFT_MS_MAX + 1, 60_000],
    ] as const) {
      heartbeat(beatOf(clock.nowMs() + aheadMs));
      expect((await line())?.['peers']).toMatchObject([{ peer: 'west', lagMs }, {}]);
    }
  });

  test('counts times that cannot be true while they are said, and the conflicts since the line before', async () => {
    const { clock, notices, conflict, line } = setUp();
    notices.note('claim-refused', 'west', 'a watermark of tomorrow');
    notices.note('clock-ahead', 'own', 'of its store');
    conflict();
    conflict();
    expect(await line()).toMatchObject({
      claimsRefusedCount: 1,
      clocksAheadCount: 1,
      conflictCount: 2,
    });
    conflict();
    await clock.advance(300_000);
    expect(await line()).toMatchObject({
      claimsRefusedCount: 0,
      clocksAheadCount: 0,
      conflictCount: 1,
    });
  });

  test('a peer that was never heard of lags since the process began', async () => {
    const { clock, heartbeat, line } = setUp();
    await clock.advance(5_000);
    heartbeat(beatOf(clock.nowMs() - 1_000));
    expect(await line()).toMatchObject({
      event: 'replication-status',
      lagMsMax: 5_000,
      deadLetterCount: 3,
      peers: [
        { peer: 'west', lagMs: 1_000 },
        { peer: 'north', lagMs: 5_000 },
      ],
    });
  });

  test('says how long something is owed to a peer', async () => {
    const { sweeper, line } = setUp([swept({ west: NOW_MS, north: NOW_MS - 9_000 })]);
    await sweeper.sweepOnce();
    expect(await line()).toMatchObject({ outboxAgeMs: 9_000 });
  });

  test('an outbox that was not read to its end goes on ageing', async () => {
    const { clock, sweeper, line } = setUp([
      swept({ west: NOW_MS, north: NOW_MS - 1_000 }),
      swept({ west: NOW_MS + 4_000 }),
    ]);
    await sweeper.sweepOnce();
    await clock.advance(4_000);
    await sweeper.sweepOnce();
    expect(await line()).toMatchObject({ outboxAgeMs: 5_000 });
  });

  test('says nothing of the outbox where another process sweeps', async () => {
    const { sweeper, line } = setUp([swept({ west: NOW_MS }), undefined]);
    await sweeper.sweepOnce();
    await sweeper.sweepOnce();
    expect(await line()).toMatchObject({ outboxAgeMs: null });
  });

  test('I11: believes of a peer no time that its clock cannot have said, and has no lag below nothing', async () => {
    const { clock, heartbeat, line } = setUp();
    await clock.advance(2_000);
    heartbeat(beatOf(clock.nowMs() + 3_600_000));
    expect(await line()).toMatchObject({ lagMsMax: 2_000, outboxAgeMs: null });
    heartbeat(beatOf(clock.nowMs() + 1_000));
    expect(await line()).toMatchObject({
      peers: [
        { peer: 'west', lagMs: 0, reachable: true },
        { peer: 'north', lagMs: 2_000 },
      ],
    });
  });
});
