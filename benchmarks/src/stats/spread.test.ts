import { createSeededRandomness } from '@tandem/core/memory';
import { describe, expect, test } from 'vitest';
import { CONFIDENCE, spreadOf, spreadOfPercentile, spreadOfRatio } from './spread.ts';

const RUNS = 300;

/** Draws as the ratios of rounds lie: their logarithms evenly around a middle that is known. */
function draws(seed: number, count: number, middle = 1.5): number[] {
  const randomness = createSeededRandomness(seed);
  return Array.from({ length: count }, () => {
    // The sum of twelve even draws is as good as a normal one.
    let sum = -6;
    for (let nth = 0; nth < 12; nth += 1) sum += randomness.fraction();
    return middle * Math.exp(0.15 * sum);
  });
}

/** Returns in how many of many runs the interval held the middle that was drawn around. */
function coverage(holds: (seed: number) => boolean): number {
  const seeds = Array.from({ length: RUNS }, (_, nth) => nth + 1);
  return seeds.filter(holds).length / RUNS;
}

describe('the spread of several rounds', () => {
  test('has the middle one, or the mean of the two in the middle', () => {
    expect(spreadOf([3, 1, 2])).toMatchObject({ median: 2, min: 1, max: 3, rounds: 3 });
    expect(spreadOf([4, 1, 2, 3])).toMatchObject({ median: 2.5, min: 1, max: 4, rounds: 4 });
  });

  test('claims no more digits than it has', () => {
    expect(spreadOf([1.23456, 1234.56])).toMatchObject({ min: 1.23, max: 1230 });
  });

  test('has the same interval for the same rounds', () => {
    expect(spreadOf(draws(1, 9))).toEqual(spreadOf(draws(1, 9)));
  });

  test('has an interval as wide as the rounds where they are few, and of no width where they agree', () => {
    expect(spreadOf([1, 2, 3])).toMatchObject({ low: 1, high: 3 });
    expect(spreadOf([2, 2, 2, 2])).toMatchObject({ low: 2, high: 2 });
  });

  test.each([5, 9, 25])('holds the true middle of %i rounds in 95 of 100 runs', (rounds) => {
    const share = coverage((seed) => {
      const { low, high } = spreadOf(draws(seed, rounds));
      return low <= 1.5 && 1.5 <= high;
    });
    expect(share).toBeGreaterThan(CONFIDENCE - 0.05);
  });

  test('is narrower the more rounds there are', () => {
    const widthOf = (rounds: number): number => {
      const { low, high } = spreadOf(draws(7, rounds));
      return high - low;
    };
    expect(widthOf(100)).toBeLessThan(widthOf(9) / 2);
  });
});

describe('the spread of a ratio whose two sides have no rounds in common', () => {
  test('holds the true ratio in 95 of 100 runs', () => {
    const share = coverage((seed) => {
      const { low, high } = spreadOfRatio(draws(seed, 9, 3), draws(seed + 10_000, 9, 2));
      return low <= 1.5 && 1.5 <= high;
    });
    expect(share).toBeGreaterThan(CONFIDENCE - 0.05);
  });
});

describe('the spread of a percentile', () => {
  test('is that of all samples, and as uncertain as whole rounds are', () => {
    const near = [10, 10, 10, 10];
    const far = [50, 50, 50, 50];
    expect(spreadOfPercentile([near, near, far], 0.5)).toEqual({
      median: 10,
      min: 10,
      max: 50,
      rounds: 3,
      low: 10,
      high: 50,
    });
  });
});
