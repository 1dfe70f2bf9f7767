import { expect, test } from 'vitest';
import { TransientError } from '../errors.ts';
import { createSeededRandomness } from '../memory/seeded-randomness.ts';
import { createVirtualClock, driveVirtualTime } from '../memory/virtual-clock.ts';
import type { Settlement } from '../ports/change-receiver.ts';
import { formatStamp } from '../time/stamp.ts';
import { isolate } from './isolate-fault.ts';

const RUNS = 40;
const CALLS_PER_PROBE = 6;
const STAMP = formatStamp({ timeMs: 1, counter: 0, region: 'east', writer: 'a' });
const DOWN = new TransientError('TABLE_UNAVAILABLE', 'Not this time.');

/** A store of which each call fails with the same probability, and a set of which each change takes two. */
async function settlementOf(changes: number, failing: number, seed: number): Promise<Settlement> {
  const clock = createVirtualClock(0);
  const randomness = createSeededRandomness(seed);
  const ask = async (calls: number): Promise<void> => {
    for (let call = 0; call < calls; call += 1) if (randomness.fraction() < failing) throw DOWN;
  };
  const set = {
    entityKind: 'Devices',
    bucket: '00',
    stamp: STAMP,
    changes: Array.from({ length: changes }, (_, index) => ({ entityId: `id-${index}` })),
  };
  const attempt = (): Promise<undefined> => ask(2 * changes + 4).then(() => undefined);
  const message = { messageId: 'm', subject: undefined, body: new Uint8Array() };
  const isolated = isolate(
    [{ set, error: DOWN, attempt }],
    { known: [], count: 1 },
    {
      message: { ...message, sequenceNumber: 1n, deliveryCount: 1 },
      probe: () => ask(CALLS_PER_PROBE),
      clock,
      randomness,
      signal: new AbortController().signal,
    },
  );
  return driveVirtualTime(clock, isolated.settlement());
}

test.each([
  [1, 0.3],
  [10, 0.1],
  [99, 0.02],
])(
  'A4: a set of %i changes is not given up because a share of %d of all calls fails',
  async (changes, failing) => {
    const kinds = new Set<string>();
    for (let seed = 1; seed <= RUNS; seed += 1)
      kinds.add((await settlementOf(changes, failing, seed)).kind);
    expect([...kinds]).toEqual(['complete']);
  },
);
