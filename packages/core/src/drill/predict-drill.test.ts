import { describe, expect, test } from 'vitest';
import type { DirectionStatus, RegionStatus } from '../region-status/read-region-status.ts';
import { failOverBounds, predictDrill } from './predict-drill.ts';

const PROBING = { intervalMs: 10_000, timeoutMs: 9_000, toleratedFailures: 3, ttlMs: 10_000 };

function directionTo(peer: string, owedChanges = 0, lagMs?: number): DirectionStatus {
  return { peer, owedChanges, lagMs, owedAgeMs: undefined, owedUndated: 0, isReachable: true };
}

function statusOf(region: string, more: Partial<RegionStatus> = {}): RegionStatus {
  return {
    region,
    readiness: { kind: 'ready', notes: [] },
    directions: [],
    outbox: { owedToAll: 0, isComplete: true },
    queue: { waiting: 0, deadLettered: 0 },
    conflicts: 0,
    clockOffsetMs: 0,
    provenEqualMs: undefined,
    archiveFromMs: undefined,
    conflictsFromMs: undefined,
    notices: [],
    ...more,
  };
}

function predict(...statuses: readonly RegionStatus[]) {
  return predictDrill({ region: 'east', statuses, probing: PROBING, messagesPerSecond: 20 });
}

const UNREADY = { kind: 'not-ready', reasons: [{ kind: 'store-not-answering' }] } as const;

describe('how long a fail-over takes', () => {
  test('is by the formula, and at worst one interval and one time-out more', () => {
    expect(failOverBounds(PROBING)).toEqual({
      soonestMs: 30_000,
      formulaMs: 40_000,
      worstMs: 59_000,
    });
    expect(failOverBounds({ ...PROBING, toleratedFailures: 0, ttlMs: 0 })).toEqual({
      soonestMs: 0,
      formulaMs: 0,
      worstMs: 19_000,
    });
  });
});

describe('what a drill would show', () => {
  test('is lost what no peer has, and late what only some have', () => {
    const own = statusOf('east', {
      directions: [directionTo('west', 5), directionTo('north', 7)],
      outbox: { owedToAll: 3, isComplete: true },
    });
    expect(predict(own, statusOf('west'))).toMatchObject({
      lostChanges: 3,
      delayedChanges: 4,
      isAtLeast: false,
    });
  });

  test('never counts less than nothing as late', () => {
    const own = statusOf('east', { outbox: { owedToAll: 3, isComplete: false } });
    expect(predict(own)).toMatchObject({ lostChanges: 3, delayedChanges: 0, isAtLeast: true });
  });

  test('I11: is at least nothing of a region that was not seen', () => {
    expect(predict(statusOf('west'))).toMatchObject({
      lostChanges: 0,
      delayedChanges: 0,
      isAtLeast: true,
    });
  });

  test('goes to the first other region that is ready', () => {
    const north = statusOf('north', {
      directions: [directionTo('west', 0, 9_000), directionTo('east', 0, 1_500)],
      queue: { waiting: 90, deadLettered: 2 },
    });
    const west = statusOf('west', { readiness: UNREADY });
    expect(predict(statusOf('east'), west, north, statusOf('south'))).toMatchObject({
      successor: 'north',
      successorLagMs: 1_500,
      successorWaiting: 90,
      drainMs: 4_500,
    });
  });

  test('rounds the time to drain up', () => {
    const west = statusOf('west', { queue: { waiting: 1, deadLettered: 0 } });
    expect(
      predictDrill({
        region: 'east',
        statuses: [west],
        probing: PROBING,
        messagesPerSecond: 3,
      }).drainMs,
    ).toBe(334);
  });

  test.each([
    ['does not answer', { error: 'BUS_UNAVAILABLE' }],
    ['cannot be asked', undefined],
  ])('does not know what waits in a queue that %s', (_what, queue) => {
    expect(predict(statusOf('east'), statusOf('west', { queue }))).toMatchObject({
      successor: 'west',
      successorLagMs: undefined,
      successorWaiting: undefined,
      drainMs: undefined,
    });
  });

  test('is that nobody serves where no other region is ready', () => {
    const west = statusOf('west', { readiness: UNREADY });
    expect(predict(statusOf('east'), west).successor).toBeUndefined();
    expect(predict(statusOf('east')).successor).toBeUndefined();
  });
});
