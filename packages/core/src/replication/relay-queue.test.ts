import { describe, expect, test } from 'vitest';
import type { OutboxEntry } from '../ports/outbox.ts';
import { formatStamp } from '../time/stamp.ts';
import { createVirtualClock } from '../memory/virtual-clock.ts';
import { createRelayQueue, GATHER_MS } from './relay-queue.ts';

function entry(n: number): OutboxEntry {
  const stamp = formatStamp({ timeMs: n, counter: 0, region: 'east', writer: 'w' });
  const set = { entityKind: 'Devices', bucket: '00', stamp, changes: [] };
  return {
    set,
    encoded: new Uint8Array(),
    owed: ['west'],
    committedAfterMs: n,
    parkedFor: undefined,
  };
}

const NEVER = new Promise<never>(() => undefined);

describe('the queue of what was just committed', () => {
  test('relays everything in order, in batches', async () => {
    const batches: number[][] = [];
    const queue = createRelayQueue({
      batchMax: 4,
      relay: {
        relay: (entries) => {
          batches.push(entries.map(({ committedAfterMs }) => committedAfterMs));
          return Promise.resolve({ relayed: entries.length, owed: [] });
        },
      },
    });
    for (let n = 0; n < 10; n += 1) queue.offer(entry(n));
    await queue.drain(NEVER);
    expect(batches.flat()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(Math.max(...batches.map((batch) => batch.length))).toBe(4);
  });

  test('goes on after a failure: the sweep has what failed', async () => {
    const relayed: number[] = [];
    const failures: unknown[] = [];
    const queue = createRelayQueue({
      batchMax: 1,
      onFailure: (error) => failures.push(error),
      relay: {
        relay: ([one]) => {
          if (one?.committedAfterMs === 1) return Promise.reject(new Error('no'));
          relayed.push(one?.committedAfterMs ?? -1);
          return Promise.resolve({ relayed: 1, owed: [] });
        },
      },
    });
    for (let n = 0; n < 3; n += 1) queue.offer(entry(n));
    await queue.drain(NEVER);
    expect(relayed).toEqual([0, 2]);
    expect(failures).toHaveLength(1);
  });

  test('holds no more than its bound, and drains no longer than its deadline', async () => {
    const queue = createRelayQueue({ lengthMax: 5, batchMax: 1, relay: { relay: () => NEVER } });
    for (let n = 0; n < 100; n += 1) queue.offer(entry(n));
    expect(queue.length).toBeLessThanOrEqual(5);
    await queue.drain(Promise.resolve());
    queue.offer(entry(100));
    expect(queue.length).toBeLessThanOrEqual(5);
  });

  test('lets the first go at once, and gathers what follows in quick succession', async () => {
    const clock = createVirtualClock(1_000);
    const rounds: { readonly atMs: number; readonly count: number }[] = [];
    const queue = createRelayQueue({
      clock,
      relay: {
        relay: (entries) => {
          rounds.push({ atMs: clock.nowMs(), count: entries.length });
          return Promise.resolve({ relayed: entries.length, owed: [] });
        },
      },
    });
    for (let n = 0; n < 20; n += 1) {
      queue.offer(entry(n));
      await clock.advance(1);
    }
    await clock.advance(GATHER_MS);
    const [first, second] = rounds;
    expect(first).toEqual({ atMs: 1_000, count: 1 });
    expect(second?.atMs).toBe(1_000 + GATHER_MS);
    expect(rounds.length).toBeLessThan(5);
    expect(rounds.reduce((sum, { count }) => sum + count, 0)).toBe(20);
    await clock.advance(1_000);
    queue.offer(entry(20));
    expect(rounds.at(-1)).toEqual({ atMs: clock.nowMs(), count: 1 });
  });

  test('waits for nothing more once it drains', async () => {
    const clock = createVirtualClock(1_000);
    let relayed = 0;
    const queue = createRelayQueue({
      clock,
      relay: {
        relay: (entries) => {
          relayed += entries.length;
          return Promise.resolve({ relayed: entries.length, owed: [] });
        },
      },
    });
    queue.offer(entry(1));
    await Promise.resolve();
    queue.offer(entry(2));
    await queue.drain(NEVER);
    expect(relayed).toBe(2);
    expect(clock.nowMs()).toBe(1_000);
  });
});
