import { describe, expect, test } from 'vitest';
import { chunk, forEachBounded } from './bounded.ts';

describe('forEachBounded', () => {
  test('works on every item, never on more than the bound at once', async () => {
    let running = 0;
    let runningMax = 0;
    const done: number[] = [];
    await forEachBounded([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
      running += 1;
      runningMax = Math.max(runningMax, running);
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      running -= 1;
      done.push(item);
    });
    expect(new Set(done)).toEqual(new Set([1, 2, 3, 4, 5, 6, 7]));
    expect(runningMax).toBe(3);
  });

  test('begins nothing more after a failure, and throws it when the rest has ended', async () => {
    const begun: number[] = [];
    const work = forEachBounded([1, 2, 3, 4], 2, async (item) => {
      begun.push(item);
      await Promise.resolve();
      if (item === 1) throw new Error('first');
    });
    await expect(work).rejects.toThrow('first');
    expect(begun).toEqual([1, 2]);
  });
});

describe('chunk', () => {
  test('keeps the order and both bounds', () => {
    const bounds = { countMax: 3, weightMax: 10, weigh: (item: number) => item };
    expect(chunk([1, 2, 3, 4, 5, 6, 20, 1], bounds)).toEqual([[1, 2, 3], [4, 5], [6], [20], [1]]);
    expect(chunk([], bounds)).toEqual([]);
  });
});
