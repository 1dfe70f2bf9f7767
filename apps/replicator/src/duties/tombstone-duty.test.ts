import type { Lease, PeerProgress } from '@tandem/core';
import { createSeededRandomness, createVirtualClock } from '@tandem/core/memory';
import { describe, expect, test } from 'vitest';
import { recordLog } from '../testing/record-log.ts';
import { createTombstoneDuty } from './tombstone-duty.ts';

const NOW_MS = Date.UTC(2026, 0, 1);
const AGE_MS = 1_000_000;

interface Setting {
  readonly peers?: readonly string[];
  readonly progress?: readonly PeerProgress[];
  readonly holdsLease?: boolean;
}

function setUp({ peers = ['west'], progress = [], holdsLease = true }: Setting) {
  const horizons: number[] = [];
  const log = recordLog();
  const lease: Lease = { acquire: async () => holdsLease, release: async () => undefined };
  const duty = createTombstoneDuty({
    clock: createVirtualClock(NOW_MS),
    randomness: createSeededRandomness(1),
    logger: log.logger,
    peers,
    lease,
    ageMs: AGE_MS,
    status: {
      read: async () => ({
        heartbeatMs: NOW_MS,
        catchingUpSinceMs: undefined,
        hasBacklog: false,
        peers: progress,
      }),
    },
    collect: async (horizonMs) => horizons.push(horizonMs),
  });
  return { duty, log, horizons, turn: () => duty.turn(new AbortController().signal) };
}

const heard = (peer: string, passedMs: number | undefined): PeerProgress => ({
  peer,
  passedMs,
  isReachable: true,
});

describe('collecting tombstones', () => {
  test('collects by the peer that is furthest behind', async () => {
    const { horizons, turn } = setUp({
      peers: ['west', 'north'],
      progress: [heard('west', NOW_MS - 10), heard('north', NOW_MS - 5_000)],
    });
    await turn();
    expect(horizons).toEqual([NOW_MS - 5_000 - AGE_MS]);
  });

  test('I4: collects nothing before every peer was heard, and says which was not', async () => {
    const { horizons, log, turn } = setUp({
      peers: ['west', 'north'],
      progress: [heard('west', NOW_MS), heard('north', undefined)],
    });
    await turn();
    expect(horizons).toEqual([]);
    expect(log.of('tombstones-kept')).toMatchObject([{ peers: ['north'] }]);
  });

  test('a peer that the status does not know counts as not heard', async () => {
    const { horizons, turn } = setUp({ progress: [] });
    await turn();
    expect(horizons).toEqual([]);
  });

  test('age alone decides where there are no peers', async () => {
    const { horizons, turn } = setUp({ peers: [] });
    await turn();
    expect(horizons).toEqual([NOW_MS - AGE_MS]);
  });

  test('leaves it to the process that has the lease', async () => {
    const { horizons, turn } = setUp({ progress: [heard('west', NOW_MS)], holdsLease: false });
    await turn();
    expect(horizons).toEqual([]);
  });

  test('does not begin at once, since it reads every row', () => {
    expect(setUp({}).duty.firstDelayMs).toBeGreaterThan(0);
  });
});
