import { describe, expect, test } from 'vitest';
import { describeRandomnessContract } from '../testing/randomness-contract.ts';
import { createSeededRandomness } from './seeded-randomness.ts';

describeRandomnessContract('seeded', () => createSeededRandomness(42));

function draw(seed: number): readonly [number, string, number] {
  const randomness = createSeededRandomness(seed);
  return [randomness.fraction(), randomness.uuid(), randomness.fraction()];
}

describe('seeded randomness', () => {
  test('the same seed gives the same sequence', () => {
    expect(draw(7)).toEqual(draw(7));
  });

  test.each([
    [0, 1],
    [1, 2],
    [-1, 1],
    [1, 2 ** 40 + 1],
  ])('seeds %d and %d give different sequences', (one, other) => {
    expect(draw(one)).not.toEqual(draw(other));
  });

  test('neighbouring seeds do not begin alike', () => {
    const first = Array.from({ length: 1_000 }, (_, seed) => draw(seed)[0]);
    expect(Math.min(...first)).toBeLessThan(0.02);
    expect(Math.max(...first)).toBeGreaterThan(0.98);
  });
});
