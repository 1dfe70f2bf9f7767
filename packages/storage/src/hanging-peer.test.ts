import type { ChangePublisher, MessageSubject, OutboundMessage } from '@tandem/core';
import { TransientError } from '@tandem/core';
import {
  createMemoryBus,
  createSeededRandomness,
  createVirtualClock,
  driveVirtualTime,
  type MemoryBus,
} from '@tandem/core/memory';
import { describe, expect, test } from 'vitest';
import { deviceKind } from './testing/device-kind.ts';
import { createMemoryRegion, MEMORY_GRACE_MS } from './testing/memory-region.ts';

const START_MS = Date.UTC(2026, 0, 1);
/** What a call of the bus may take; the adapter has 10 s for each. */
const CALL_MS_MAX = 10_000;
const SWEEP_EVERY_MS = 1_000;
const ROUNDS = 100;
const NETWORK_MS = 40;

interface Sent {
  readonly atMs: number;
  readonly subject: MessageSubject;
}

/** East with its peers west and north, and whatever each of them was sent. */
async function createEast({ hangs }: { readonly hangs: boolean }) {
  const clock = createVirtualClock(START_MS);
  const memory = createMemoryBus({ clock, lockDurationMs: 30_000, deliveryCountMax: 10 });
  const sent = new Map<string, Sent[]>([
    ['west', []],
    ['north', []],
  ]);
  let isFrozen = hangs;
  const publish = async (peer: string, messages: readonly OutboundMessage[]): Promise<void> => {
    if (peer === 'north' && isFrozen) {
      await clock.sleep(CALL_MS_MAX);
      throw new TransientError('BUS_UNAVAILABLE', 'no answer');
    }
    await clock.sleep(NETWORK_MS);
    for (const { subject } of messages) sent.get(peer)?.push({ atMs: clock.nowMs(), subject });
  };
  const bus: MemoryBus = {
    ...memory,
    publisherFor(peer, queue): ChangePublisher {
      const inner = memory.publisherFor(peer, queue);
      return {
        ...inner,
        async publish(messages) {
          await publish(peer, messages);
          await inner.publish(messages);
        },
      };
    },
  };
  const common = { kind: deviceKind, bus, clock, randomness: createSeededRandomness(1) };
  const make = (relaysAtOnce: boolean) =>
    createMemoryRegion({ ...common, region: 'east', peers: ['west', 'north'], relaysAtOnce });
  return { clock, make, sent, thaw: () => (isFrozen = false) };
}

const p99 = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)] ?? Number.NaN;

/** From each commit until west's queue has it, while one is written every 100 ms. */
async function lagsToWest(hangs: boolean): Promise<number[]> {
  const { clock, make, sent } = await createEast({ hangs });
  const east = await make(true);
  const committedMs: number[] = [];
  for (let n = 0; n < ROUNDS * 10; n += 1) {
    await driveVirtualTime(clock, east.table.put(`device-${n}`, { label: 'x' }));
    committedMs.push(clock.nowMs());
    await clock.advance(100);
  }
  const arrivedMs = (sent.get('west') ?? []).map(({ atMs }) => atMs);
  expect(arrivedMs).toHaveLength(committedMs.length);
  return arrivedMs.map((atMs, index) => atMs - (committedMs[index] ?? Number.NaN));
}

/** From one watermark for west to the next, while a sweep follows on the other. */
async function gapsOfWest(hangs: boolean): Promise<number[]> {
  const { clock, make, sent } = await createEast({ hangs });
  const east = await make(false);
  for (let round = 0; round < ROUNDS; round += 1) {
    await driveVirtualTime(clock, east.table.put(`device-${round}`, { label: 'x' }));
    await driveVirtualTime(clock, east.replicator.sweepOnce());
    await clock.advance(SWEEP_EVERY_MS);
  }
  const atMs = (sent.get('west') ?? [])
    .filter(({ subject }) => subject === 'watermark')
    .map((one) => one.atMs);
  expect(atMs).toHaveLength(ROUNDS);
  return atMs.slice(1).map((ms, index) => ms - (atMs[index] ?? ms));
}

describe('A10: while one of two peers takes connections and answers nothing', () => {
  test('what is written here reaches the other as soon as if both answered', async () => {
    const [healthy, beside] = [await lagsToWest(false), await lagsToWest(true)];
    expect(p99(beside)).toBeLessThanOrEqual(1.5 * p99(healthy));
    expect(Math.max(...beside)).toBeLessThanOrEqual(1.5 * Math.max(...healthy));
  });

  test('the other is swept for, and told so by watermarks, as often as if both answered', async () => {
    const [healthy, beside] = [await gapsOfWest(false), await gapsOfWest(true)];
    expect(p99(beside)).toBeLessThanOrEqual(1.5 * p99(healthy));
  });

  test('it gets everything in the end, once it answers', async () => {
    const { clock, make, sent, thaw } = await createEast({ hangs: true });
    const east = await make(true);
    for (let n = 0; n < 50; n += 1) {
      await driveVirtualTime(clock, east.table.put(`device-${n}`, { label: 'x' }));
      await clock.advance(100);
    }
    thaw();
    for (let round = 0; round < ROUNDS; round += 1) {
      await clock.advance(MEMORY_GRACE_MS);
      await driveVirtualTime(clock, east.replicator.sweepOnce());
    }
    expect(sent.get('north')?.some(({ subject }) => subject === 'change-set')).toBe(true);
    for (const bucket of east.outbox.buckets) {
      for (const parkedFor of [undefined, 'west', 'north']) {
        const scan = parkedFor === undefined ? {} : { parkedFor };
        const { entries } = await east.outbox.scan({ bucket, limit: 1, ...scan });
        expect(entries).toEqual([]);
      }
    }
  });
});
