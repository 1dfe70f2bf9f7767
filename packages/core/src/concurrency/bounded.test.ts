import { describe, expect, test } from 'vitest';
import { batchesOf, chunk, forEachBounded } from './bounded.ts';

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

describe('batchesOf', () => {
  const collect = async (bounds: Parameters<typeof batchesOf<number>>[1]): Promise<number[][]> => {
    const read: number[] = [];
    const source = async function* (): AsyncGenerator<number> {
      for (const item of [1, 2, 3, 4, 5, 6, 20, 1]) {
        read.push(item);
        yield item;
      }
    };
    const batches: number[][] = [];
    for await (const batch of batchesOf(source(), bounds)) {
      // Nothing is read ahead: whoever takes a batch writes it before more comes.
      expect(read).toEqual([...batches.flat(), ...batch]);
      batches.push(batch);
    }
    return batches;
  };

  test('yields a batch as soon as a bound is reached, and what is left', async () => {
    expect(await collect({ countMax: 3 })).toEqual([
      [1, 2, 3],
      [4, 5, 6],
      [20, 1],
    ]);
    const weighed = { countMax: 3, weightMax: 9, weigh: (item: number) => item };
    expect(await collect(weighed)).toEqual([[1, 2, 3], [4, 5], [6, 20], [1]]);
    expect(await collect({ countMax: 4 })).toHaveLength(2);
  });
});
