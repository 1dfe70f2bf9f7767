import { describe, expect, test } from 'vitest';
import { SettlementTurns } from './service-bus-receiver.ts';

/** Notes which outcomes are under way together. */
function createRecorder(): {
  settle: (outcome: string) => () => Promise<string>;
  overlaps: Set<string>;
} {
  const running: string[] = [];
  const overlaps = new Set<string>();
  const settle = (outcome: string) => async (): Promise<string> => {
    running.push(outcome);
    overlaps.add([...new Set(running)].join('+'));
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    running.splice(running.indexOf(outcome), 1);
    return outcome;
  };
  return { settle, overlaps };
}

describe('settlements', () => {
  test('of one outcome run together, of different outcomes never', async () => {
    const turns = new SettlementTurns();
    const { settle, overlaps } = createRecorder();
    const outcomes = ['a', 'b', 'a', 'c', 'b', 'a', 'a'];
    const settled = await Promise.all(outcomes.map((one) => turns.run(one, settle(one))));
    expect(settled).toEqual(outcomes);
    expect([...overlaps].sort((a, b) => (a < b ? -1 : 1))).toEqual(['a', 'b', 'c']);
  });

  test('a failure ends its turn like a success', async () => {
    const turns = new SettlementTurns();
    const failing = turns.run('a', () => Promise.reject(new Error('no')));
    const following = turns.run('b', () => Promise.resolve('done'));
    await expect(failing).rejects.toThrow('no');
    await expect(following).resolves.toBe('done');
  });

  test('of another outcome get their turn however many of one kind follow on each other', async () => {
    const turns = new SettlementTurns();
    const completing: (() => void)[] = [];
    const complete = (): Promise<void> =>
      turns.run(
        'complete',
        () =>
          new Promise((resolve) => {
            completing.push(resolve);
          }),
      );
    const all = [complete()];
    let isDeadLettered = false;
    const other = turns.run('dead-letter', async () => {
      isDeadLettered = true;
    });
    // As from batches that overlap: one is settled while the next already is.
    for (let n = 0; n < 50; n += 1) {
      all.push(complete());
      completing.shift()?.();
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
    expect(isDeadLettered).toBe(true);
    for (const end of completing) end();
    await Promise.all([...all, other]);
  });
});
