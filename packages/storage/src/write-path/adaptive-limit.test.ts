import { describe, expect, test } from 'vitest';
import { AT_ONCE_MAX, AT_ONCE_MIN, createAdaptiveLimit } from './gate.ts';

/** Ends between two probes. */
const ROUNDS = 1_900;

/** The limit that a store leads to which takes so long when so many are under way. */
function limitFor(durationMs: (atOnce: number, round: number) => number): number {
  const limit = createAdaptiveLimit();
  for (let round = 0; round < ROUNDS; round += 1) {
    limit.note(durationMs(limit.current(), round), 1);
  }
  return limit.current();
}

describe('the number of transactions at once', () => {
  test('rises to its bound where more at once take no longer', () => {
    expect(limitFor(() => 10)).toBe(AT_ONCE_MAX);
    expect(limitFor((_, round) => 9 + (round % 4))).toBe(AT_ONCE_MAX);
  });

  test('stays small where each waits for all others', () => {
    const limit = limitFor((atOnce) => 3 * atOnce);
    expect(limit).toBeGreaterThanOrEqual(AT_ONCE_MIN);
    // With two at once all the time the groups of 64 writers in 4 buckets lose a fifth of their size.
    expect(limit).toBeLessThanOrEqual(2);
  });

  test('finds where a store with several hands is busy', () => {
    const limit = limitFor((atOnce) => 10 * Math.max(1, atOnce / 8));
    expect(limit).toBeGreaterThan(8);
    expect(limit).toBeLessThan(AT_ONCE_MAX);
  });

  test('takes one straggler in twenty for no busy store', () => {
    expect(limitFor((_, round) => (round % 20 === 0 ? 200 : 10))).toBe(AT_ONCE_MAX);
  });

  test('rises again when a store has recovered', () => {
    const slow = 500;
    expect(limitFor((atOnce, round) => (round < slow ? 5 * atOnce : 5))).toBe(AT_ONCE_MAX);
  });

  test('rises again where a store has become slower for good', () => {
    const change = 500;
    expect(limitFor((_, round) => (round < change ? 5 : 10))).toBe(AT_ONCE_MAX);
  });

  test('does not take a large transaction for a busy store', () => {
    const limit = createAdaptiveLimit();
    for (let round = 0; round < ROUNDS; round += 1) {
      const effort = round % 2 === 0 ? 1 : 10;
      limit.note(5 * effort, effort);
    }
    expect(limit.current()).toBe(AT_ONCE_MAX);
  });
});
