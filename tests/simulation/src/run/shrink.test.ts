import { describe, expect, test } from 'vitest';
import { shrink } from './shrink.ts';

const FAULTS = Array.from({ length: 100 }, (_, index) => `fault ${index}`);
const TRIES_MAX = 1_000;

describe('shrinking a list of faults', () => {
  test('leaves those that are needed, and no other', async () => {
    const needed = ['fault 3', 'fault 50', 'fault 99'];
    const fails = (faults: readonly string[]) =>
      Promise.resolve(needed.every((one) => faults.includes(one)));
    expect(await shrink(FAULTS, fails, TRIES_MAX)).toEqual(needed);
  });

  test('finds that none is needed', async () => {
    expect(await shrink(FAULTS, () => Promise.resolve(true), TRIES_MAX)).toEqual([]);
  });

  test('ends after so many tries with what it has', async () => {
    let tries = 0;
    const fails = (faults: readonly string[]) => {
      tries += 1;
      return Promise.resolve(faults.length > 90);
    };
    const shortest = await shrink(FAULTS, fails, 5);
    expect(tries).toBeLessThanOrEqual(6);
    expect(shortest.length).toBeGreaterThan(90);
  });
});
