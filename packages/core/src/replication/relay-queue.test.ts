import { describe, expect, test } from 'vitest';
import type { OutboxEntry } from '../ports/outbox.ts';
import { formatStamp } from '../time/stamp.ts';
import { createRelayQueue } from './relay-queue.ts';

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
});
