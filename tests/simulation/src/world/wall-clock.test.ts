import { describe, expect, test } from 'vitest';
import { createWallClock } from './wall-clock.ts';

const HOUR_MS = 3_600_000;

function clockAt(startMs: number) {
  const time = { nowMs: startMs };
  return { time, clock: createWallClock(() => time.nowMs) };
}

describe('the furthest that a wall clock was ahead', () => {
  test('counts what it was put ahead while it stood still, once it goes on', () => {
    const { time, clock } = clockAt(1_000);
    clock.freeze();
    clock.setOffset(HOUR_MS);
    time.nowMs = 11_000;
    clock.unfreeze();
    expect(clock.nowMs()).toBe(11_000 + HOUR_MS);
    clock.setOffset(0);
    expect(clock.aheadMsMax).toBe(HOUR_MS);
    expect(clock.offMsMax).toBe(HOUR_MS);
  });

  test('leaves out what was set right before anybody could read it', () => {
    const { time, clock } = clockAt(1_000);
    clock.freeze();
    clock.setOffset(HOUR_MS);
    time.nowMs = 11_000;
    clock.setOffset(0);
    clock.unfreeze();
    expect(clock.aheadMsMax).toBe(0);
    expect(clock.offMsMax).toBe(10_000);
  });

  test('outlives the clock being set right', () => {
    const { clock } = clockAt(1_000);
    clock.setOffset(HOUR_MS);
    clock.setOffset(-2 * HOUR_MS);
    clock.setOffset(0);
    expect(clock.aheadMsMax).toBe(HOUR_MS);
    expect(clock.offMsMax).toBe(2 * HOUR_MS);
  });
});
