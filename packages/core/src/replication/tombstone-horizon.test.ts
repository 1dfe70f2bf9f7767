import { describe, expect, test } from 'vitest';
import { tombstoneHorizonMs } from './tombstone-horizon.ts';

describe('I4: a tombstone is collected', () => {
  test('only once it is old enough', () => {
    expect(tombstoneHorizonMs({ nowMs: 1_000, ageMs: 300, passedMs: [1_000] })).toBe(700);
  });

  test('never while a peer is behind', () => {
    expect(tombstoneHorizonMs({ nowMs: 1_000, ageMs: 300, passedMs: [1_000, 400] })).toBe(100);
    expect(tombstoneHorizonMs({ nowMs: 1_000, ageMs: 300, passedMs: [undefined] })).toBeUndefined();
  });
});
