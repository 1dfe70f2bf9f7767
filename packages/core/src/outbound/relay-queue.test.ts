import { describe, expect, test } from 'vitest';
import { createVirtualClock } from '../memory/virtual-clock.ts';
import type { OutboxEntry } from '../ports/outbox.ts';
import { formatStamp } from '../time/stamp.ts';
import type { RelaySteps, SentEntry } from './relay.ts';
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

interface Recorded extends RelaySteps {
  /** What was sent to whom, a batch each. */
  readonly batches: readonly { readonly peer: string; readonly times: readonly number[] }[];
  readonly finished: readonly SentEntry[];
}

/** Steps that do nothing but note what they are given; `send` may do as it likes. */
function record(
  peers: readonly string[] = ['west'],
  send: (peer: string, owed: readonly OutboxEntry[]) => Promise<void> = () => Promise.resolve(),
): Recorded {
  const batches: { peer: string; times: number[] }[] = [];
  const finished: SentEntry[] = [];
  return {
    peers,
    batches,
    finished,
    isReachable: () => true,
    archive: () => Promise.resolve(),
    async send(peer, owed) {
      batches.push({ peer, times: owed.map(({ committedAfterMs }) => committedAfterMs) });
      await send(peer, owed);
      return new Set(owed);
    },
    finish: async (sent) => void finished.push(...sent),
  };
}

const timesOf = ({ batches }: Recorded, peer = 'west'): number[] =>
  batches.flatMap((one) => (one.peer === peer ? one.times : []));

describe('the queue of what was just committed', () => {
  test('relays everything in order, in batches', async () => {
    const relay = record();
    const queue = createRelayQueue({ batchMax: 4, relay });
    for (let n = 0; n < 10; n += 1) queue.offer(entry(n));
    await queue.drain(NEVER);
    expect(timesOf(relay)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(Math.max(...relay.batches.map(({ times }) => times.length))).toBe(4);
    expect(relay.finished.map(({ owed }) => owed)).toEqual(Array.from({ length: 10 }, () => []));
  });

  test('goes on after a failure: the sweep has what failed', async () => {
    const failures: unknown[] = [];
    const relay = record(['west'], async (_, [one]) => {
      if (one?.committedAfterMs === 1) throw new Error('no');
    });
    const accepted = new Map<number, boolean>();
    const queue = createRelayQueue({
      batchMax: 1,
      relay,
      onFailure: (error) => failures.push(error),
      onSent: ({ committedAfterMs }, _, isAccepted) => accepted.set(committedAfterMs, isAccepted),
    });
    for (let n = 0; n < 3; n += 1) queue.offer(entry(n));
    await queue.drain(NEVER);
    expect(timesOf(relay)).toEqual([0, 1, 2]);
    expect(Object.fromEntries(accepted)).toEqual({ 0: true, 1: false, 2: true });
    expect(failures).toHaveLength(1);
  });

  test('sends nothing that could not be archived', async () => {
    const failures: unknown[] = [];
    const told: [string, boolean][] = [];
    const relay = { ...record(), archive: () => Promise.reject(new Error('no table')) };
    const queue = createRelayQueue({
      relay,
      onFailure: (error) => failures.push(error),
      onSent: (_, peer, isAccepted) => told.push([peer, isAccepted]),
    });
    queue.offer(entry(1));
    await queue.drain(NEVER);
    expect({ batches: relay.batches, finished: relay.finished }).toEqual({
      batches: [],
      finished: [],
    });
    expect(told).toEqual([['west', false]]);
    expect(failures).toHaveLength(1);
  });

  test('holds no more than its bound, and drains no longer than its deadline', async () => {
    const queue = createRelayQueue({
      lengthMax: 5,
      batchMax: 1,
      relay: record(['west'], () => NEVER),
    });
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
      relay: record(['west'], async (_, entries) => {
        rounds.push({ atMs: clock.nowMs(), count: entries.length });
      }),
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
    await clock.advance(0);
    expect(rounds.at(-1)).toEqual({ atMs: clock.nowMs(), count: 1 });
  });

  test('waits for nothing more once it drains', async () => {
    const clock = createVirtualClock(1_000);
    const relay = record();
    const queue = createRelayQueue({ clock, relay });
    queue.offer(entry(1));
    await clock.advance(0);
    queue.offer(entry(2));
    await queue.drain(NEVER);
    expect(timesOf(relay)).toEqual([1, 2]);
    expect(clock.nowMs()).toBe(1_000);
  });
});

describe('A10: a peer that takes messages and never answers', () => {
  const BOTH = ['west', 'north'];
  const owedToBoth = (n: number): OutboxEntry => ({ ...entry(n), owed: BOTH });

  test('keeps nothing from the others, however much is owed to it', async () => {
    const clock = createVirtualClock(0);
    const sentMs: number[] = [];
    const relay = record(BOTH, async (peer, owed) => {
      if (peer === 'north') await NEVER;
      sentMs.push(...owed.map(({ committedAfterMs }) => clock.nowMs() - committedAfterMs));
    });
    const queue = createRelayQueue({ clock, relay, lengthMax: 90 });
    for (let n = 0; n < 1_000; n += 1) {
      queue.offer(owedToBoth(clock.nowMs()));
      await clock.advance(1);
    }
    await clock.advance(GATHER_MS);
    expect(sentMs).toHaveLength(1_000);
    expect(Math.max(...sentMs)).toBeLessThanOrEqual(GATHER_MS);
    expect(queue.length).toBeLessThanOrEqual(90);
    // What had no room is owed to the one that hangs, and to nobody else.
    expect(relay.finished.length).toBeGreaterThan(900);
    expect(relay.finished.every(({ owed }) => owed.join() === 'north')).toBe(true);
  });

  test('is not waited for by who asks where a write is, once it is known to hang', async () => {
    const told: [number, string, boolean][] = [];
    const steps = record(BOTH, (peer) => (peer === 'north' ? NEVER : Promise.resolve()));
    const relay = { ...steps, isReachable: (peer: string) => peer === 'west' };
    const queue = createRelayQueue({
      relay,
      onSent: (one, peer, isAccepted) => told.push([one.committedAfterMs, peer, isAccepted]),
    });
    queue.offer(owedToBoth(0));
    await createVirtualClock(0).advance(0);
    queue.offer(owedToBoth(1));
    await expect.poll(() => told).toHaveLength(3);
    expect(told).toContainEqual([0, 'west', true]);
    expect(told).toContainEqual([1, 'west', true]);
    expect(told).toContainEqual([1, 'north', false]);
  });
});
