import { describe, expect, test } from 'vitest';
import { tombstoneHorizonMs } from './retention-horizon.ts';

describe('I4: a tombstone is collected', () => {
  test('only once it is old enough', () => {
    expect(
      tombstoneHorizonMs({ driftMsMax: 60_000, nowMs: 1_000, ageMs: 300, passedMs: [1_000] }),
    ).toBe(700);
  });

  test('never while a peer is behind', () => {
    expect(
      tombstoneHorizonMs({ driftMsMax: 60_000, nowMs: 1_000, ageMs: 300, passedMs: [1_000, 400] }),
    ).toBe(100);
    expect(
      tombstoneHorizonMs({ driftMsMax: 60_000, nowMs: 1_000, ageMs: 300, passedMs: [undefined] }),
    ).toBeUndefined();
  });

  test('by the clock of this region, whatever a peer says of the time to come', () => {
    const input = { nowMs: 100_000, ageMs: 300 };
    expect(tombstoneHorizonMs({ driftMsMax: 60_000, ...input, passedMs: [] })).toBe(99_700);
    expect(tombstoneHorizonMs({ driftMsMax: 60_000, ...input, passedMs: [100_050] })).toBe(99_700);
    expect(
      tombstoneHorizonMs({ driftMsMax: 60_000, ...input, passedMs: [100_000, 400_000] }),
    ).toBeUndefined();
    const strict = { ...input, driftMsMax: 10 };
    expect(tombstoneHorizonMs({ ...strict, passedMs: [100_011] })).toBeUndefined();
  });
});
