import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createHybridClock, type DriftReport, type HybridClock } from './hybrid-clock.ts';
import { formatStamp, parseStamp, type Stamp, stampTimeMs } from './stamp.ts';

const DRIFT_MS_MAX = 1_000;

function stampAt(timeMs: number, counter = 0): Stamp {
  return formatStamp({ timeMs, counter, region: 'west', writer: 'w9' });
}

function createClockAt(startMs: number): {
  clock: HybridClock;
  wall: { ms: number };
  drifts: DriftReport[];
} {
  const wall = { ms: startMs };
  const drifts: DriftReport[] = [];
  const clock = createHybridClock({
    region: 'east',
    writer: 'w1',
    nowMs: () => wall.ms,
    driftMsMax: DRIFT_MS_MAX,
    onDrift: (report) => drifts.push(report),
  });
  return { clock, wall, drifts };
}

describe('the hybrid clock', () => {
  test('follows the wall clock', () => {
    const { clock, wall } = createClockAt(5_000);
    expect(stampTimeMs(clock.tick())).toBe(5_000);
    wall.ms = 6_000;
    expect(stampTimeMs(clock.tick())).toBe(6_000);
  });

  test('goes on when the wall clock stands still or jumps back', () => {
    const { clock, wall } = createClockAt(5_000);
    const first = clock.tick();
    const second = clock.tick();
    wall.ms = 1;
    const third = clock.tick();
    expect([first, second, third].toSorted()).toEqual([first, second, third]);
  });

  test('carries into the milliseconds when the counter is full', () => {
    const { clock } = createClockAt(5_000);
    const next = clock.tick(stampAt(5_500, 9_999));
    expect(parseStamp(next)).toMatchObject({ timeMs: 5_501, counter: 0 });
    expect(parseStamp(clock.tick(stampAt(5_600, 9_998))).counter).toBe(9_999);
  });

  test('exceeds a counter that an earlier build has made, and makes none as great', () => {
    const { clock } = createClockAt(5_000);
    const floor = stampAt(5_500, 2 ** 16 - 1);
    expect(clock.tick(floor) > floor).toBe(true);
    const next = clock.tick(stampAt(5_500, 20_000));
    expect(parseStamp(next)).toMatchObject({ timeMs: 5_501, counter: 1 });
  });

  test('I8: a new stamp exceeds the one it replaces, however far ahead that is', () => {
    const { clock } = createClockAt(5_000);
    for (const floorMs of [4_000, 5_500, 999_999_999]) {
      const floor = stampAt(floorMs);
      expect(clock.tick(floor) > floor).toBe(true);
    }
  });

  test('a received stamp within the bound is adopted', () => {
    const { clock, drifts } = createClockAt(5_000);
    clock.observe(stampAt(5_900));
    expect(clock.tick() > stampAt(5_900)).toBe(true);
    expect(drifts).toEqual([]);
  });

  test('a received stamp too far ahead is reported and never adopted', () => {
    const { clock, drifts } = createClockAt(5_000);
    clock.observe(stampAt(60_000));
    expect(stampTimeMs(clock.tick())).toBe(5_000);
    expect(drifts).toEqual([{ stamp: stampAt(60_000), aheadMs: 55_000, driftMsMax: DRIFT_MS_MAX }]);
  });

  test('overwriting a row stamped far ahead does not carry the clock away', () => {
    const { clock } = createClockAt(5_000);
    clock.tick(stampAt(60_000));
    expect(stampTimeMs(clock.tick())).toBe(5_000);
  });

  test('never makes the same stamp twice, whatever it sees and however the wall clock moves', () => {
    const step = fc.record({
      wallMs: fc.integer({ min: 0, max: 4_000 }),
      floorMs: fc.option(fc.integer({ min: 0, max: 4_000 }), { nil: undefined }),
      observedMs: fc.option(fc.integer({ min: 0, max: 4_000 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { clock, wall } = createClockAt(0);
        const made = steps.map(({ wallMs, floorMs, observedMs }) => {
          wall.ms = wallMs;
          if (observedMs !== undefined) clock.observe(stampAt(observedMs));
          return clock.tick(floorMs === undefined ? undefined : stampAt(floorMs));
        });
        expect(new Set(made).size).toBe(made.length);
      }),
      { numRuns: 500 },
    );
  });
});
