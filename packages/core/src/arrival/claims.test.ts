import { expect, test } from 'vitest';
import { checkOwnClock } from './claims.ts';

const DRIFT_MS = 60_000;
const STORE_MS = 1_000_000;

test.each([
  ['behind', STORE_MS - 500_000],
  ['the same', STORE_MS],
  ['ahead by as much as clocks may drift', STORE_MS + DRIFT_MS],
])('I4: a clock that is, by that of its store, %s is trusted', (_, nowMs) => {
  expect(() => checkOwnClock({ nowMs, driftMsMax: DRIFT_MS }, STORE_MS)).not.toThrow();
});

test('I1: one that is further ahead is not, which passes once it is right', () => {
  const nowMs = STORE_MS + DRIFT_MS + 1;
  expect(() => checkOwnClock({ nowMs, driftMsMax: DRIFT_MS }, STORE_MS)).toThrow(
    expect.objectContaining({ code: 'CLOCK_AHEAD', retryable: true }),
  );
});

test('a store that tells no time contradicts nobody', () => {
  expect(() => checkOwnClock({ nowMs: STORE_MS * 9, driftMsMax: 0 }, undefined)).not.toThrow();
});
