import { describe, expect, test } from 'vitest';
import { createVirtualClock } from '../memory/virtual-clock.ts';
import { Rounds } from './rounds.ts';

/** A flush that ends when it is told to. */
function steps() {
  const rounds: number[][] = [];
  let end = (): void => undefined;
  return {
    rounds,
    end: () => end(),
    flush: (round: number[]) =>
      new Promise<void>((resolve) => {
        rounds.push(round);
        end = resolve;
      }),
  };
}

const settle = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

describe('rounds', () => {
  test('flush the first at once, and together what is added while a round is under way', async () => {
    const { rounds, end, flush } = steps();
    const gathered = new Rounds({ flush });
    gathered.add(1);
    gathered.add(2);
    gathered.add(3);
    expect(rounds).toEqual([[1]]);
    expect(gathered.waiting).toBe(2);
    end();
    await settle();
    expect(rounds).toEqual([[1], [2, 3]]);
    expect(gathered.waiting).toBe(0);
    end();
    await gathered.working;
    expect(gathered.working).toBeUndefined();
    gathered.add(4);
    expect(rounds).toEqual([[1], [2, 3], [4]]);
  });

  test('take together what is added together', async () => {
    const { rounds, flush } = steps();
    const gathered = new Rounds({ flush });
    gathered.add();
    expect(gathered.working).toBeUndefined();
    gathered.add(1, 2, 3);
    expect(rounds).toEqual([[1, 2, 3]]);
  });

  test('take no more than the bound, in the order in which it came', async () => {
    const rounds: number[][] = [];
    const gathered = new Rounds<number>({
      countMax: 2,
      flush: async (round) => void rounds.push(round),
    });
    for (let item = 0; item < 6; item += 1) gathered.add(item);
    await gathered.working;
    expect(rounds).toEqual([[0], [1, 2], [3, 4], [5]]);
  });

  test('go on after one that failed, which is told', async () => {
    const rounds: number[][] = [];
    const failures: unknown[] = [];
    const gathered = new Rounds<number>({
      onFailure: (error) => failures.push(error),
      async flush(round) {
        rounds.push(round);
        if (rounds.length === 1) throw new Error('down');
      },
    });
    gathered.add(1);
    gathered.add(2);
    await gathered.working;
    expect(rounds).toEqual([[1], [2]]);
    expect(failures).toEqual([new Error('down')]);
  });
});

describe('rounds with a pause', () => {
  const set = (pauseMs: (beganMs: number) => number) => {
    const clock = createVirtualClock(1_000);
    const rounds: { readonly atMs: number; readonly round: readonly number[] }[] = [];
    const gathered = new Rounds<number>({
      flush: async (round) => void rounds.push({ atMs: clock.nowMs(), round }),
      pause: { clock, pauseMs },
    });
    return { clock, rounds, gathered };
  };

  test('gather for so long as the pause says, by when the round before began', async () => {
    const began: number[] = [];
    const { clock, rounds, gathered } = set((beganMs) => {
      began.push(beganMs);
      return 500;
    });
    gathered.add(1);
    await clock.advance(100);
    gathered.add(2);
    gathered.add(3);
    await clock.advance(399);
    expect(rounds).toEqual([{ atMs: 1_000, round: [1] }]);
    await clock.advance(1);
    expect(rounds.slice(1)).toEqual([{ atMs: 1_500, round: [2, 3] }]);
    expect(began).toEqual([1_000, 1_500]);
    await clock.advance(500);
    expect(gathered.working).toBeUndefined();
  });

  test('are woken from one pause, and from no other', async () => {
    const { clock, rounds, gathered } = set(() => 500);
    gathered.add(1);
    await settle();
    gathered.add(2);
    gathered.wake();
    await settle();
    expect(rounds.map(({ round }) => round)).toEqual([[1], [2]]);
    gathered.add(3);
    await clock.advance(499);
    expect(rounds).toHaveLength(2);
    await clock.advance(1);
    expect(rounds).toHaveLength(3);
  });

  test('in a hurry pause no more until nothing waits, and then again', async () => {
    const { clock, rounds, gathered } = set(() => 500);
    gathered.add(1);
    await settle();
    gathered.hurry();
    gathered.add(2);
    await gathered.working;
    expect(rounds.map(({ atMs }) => atMs)).toEqual([1_000, 1_000]);
    gathered.add(3);
    await settle();
    gathered.add(4);
    await clock.advance(499);
    expect(rounds).toHaveLength(3);
  });
});
