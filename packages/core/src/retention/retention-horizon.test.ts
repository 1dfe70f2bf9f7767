import { describe, expect, test } from 'vitest';
import { type RetentionHorizonInput, retentionHorizonMs } from './retention-horizon.ts';

const NOW_MS = 1_000_000;

function horizonOf(given: Partial<RetentionHorizonInput>): number | undefined {
  return retentionHorizonMs({
    nowMs: NOW_MS,
    driftMsMax: 1_000,
    keepMs: 50_000,
    fullBeforeMs: undefined,
    promiseMs: 10_000,
    appliedByPeersMs: [NOW_MS],
    ...given,
  });
}

describe('how far back is kept', () => {
  test('is by age before what every peer has said to have', () => {
    expect(horizonOf({})).toBe(950_000);
    expect(horizonOf({ appliedByPeersMs: [NOW_MS, 600_000, 700_000] })).toBe(550_000);
    expect(horizonOf({ appliedByPeersMs: [] })).toBe(950_000);
  });

  test('I22: is all while a peer has not said what it has, or says what cannot be', () => {
    expect(horizonOf({ appliedByPeersMs: [NOW_MS, undefined] })).toBeUndefined();
    expect(horizonOf({ appliedByPeersMs: [NOW_MS + 1_001] })).toBeUndefined();
    expect(horizonOf({ fullBeforeMs: 10, appliedByPeersMs: [undefined] })).toBeUndefined();
  });

  test('is all where neither age nor size is set', () => {
    expect(horizonOf({ keepMs: undefined })).toBeUndefined();
  });

  test('is by size where that is later, and never what is promised', () => {
    expect(horizonOf({ fullBeforeMs: 970_000 })).toBe(970_000);
    expect(horizonOf({ fullBeforeMs: 930_000 })).toBe(950_000);
    expect(horizonOf({ keepMs: undefined, fullBeforeMs: 999_000 })).toBe(990_000);
    expect(horizonOf({ keepMs: 5_000 })).toBe(990_000);
    expect(horizonOf({ fullBeforeMs: 999_000, appliedByPeersMs: [600_000] })).toBe(590_000);
  });
});
