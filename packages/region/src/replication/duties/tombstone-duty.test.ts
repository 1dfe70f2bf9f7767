import type { Lease, PeerProgress } from '@tandem/core';
import { createSeededRandomness, createVirtualClock } from '@tandem/core/memory';
import { describe, expect, test } from 'vitest';
import { recordLog } from '../../testing/record-log.ts';
import { createTombstoneDuty } from './region-duties.ts';

const NOW_MS = Date.UTC(2026, 0, 1);
const AGE_MS = 1_000_000;

interface Setting {
  readonly peers?: readonly string[];
  /** `none` where no replicator ever wrote a row. */
  readonly progress?: readonly PeerProgress[] | 'none';
  readonly holdsLease?: boolean;
}

function setUp({ peers = ['west'], progress = [], holdsLease = true }: Setting) {
  const horizons: number[] = [];
  const log = recordLog();
  const leasesMs: number[] = [];
  const lease: Lease = {
    acquire: async (durationMs) => {
      leasesMs.push(durationMs);
      return holdsLease;
    },
    release: async () => undefined,
  };
  const duty = createTombstoneDuty({
    clock: createVirtualClock(NOW_MS),
    randomness: createSeededRandomness(1),
    logger: log.logger,
    peers,
    lease,
    ageMs: AGE_MS,
    status: {
      read: async () => {
        if (peers.length === 0) throw new Error('a region without peers has no such row');
        if (progress === 'none') return undefined;
        return {
          heartbeatMs: NOW_MS,
          catchingUpSinceMs: undefined,
          hasBacklog: false,
          peers: progress,
        };
      },
    },
    collect: async (horizonMs) => horizons.push(horizonMs) + 2,
  });
  return { duty, log, horizons, leasesMs, turn: () => duty.turn(new AbortController().signal) };
}

const heard = (peer: string, passedMs: number | undefined): PeerProgress => ({
  peer,
  passedMs,
  isReachable: true,
});

describe('collecting tombstones', () => {
  test('collects by the peer that is furthest behind', async () => {
    const { horizons, log, turn } = setUp({
      peers: ['west', 'north'],
      progress: [heard('south', 0), heard('west', NOW_MS - 10), heard('north', NOW_MS - 5_000)],
    });
    await turn();
    const horizonMs = NOW_MS - 5_000 - AGE_MS;
    expect(horizons).toEqual([horizonMs]);
    expect(log.of('tombstones-collected')).toMatchObject([{ collected: 3, horizonMs }]);
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

  test.each([[[]], ['none' as const]])(
    'a peer that the status does not know counts as not heard',
    async (progress) => {
      const { horizons, log, turn } = setUp({ progress });
      await turn();
      expect(horizons).toEqual([]);
      expect(log.of('tombstones-kept')).toMatchObject([{ peers: ['west'] }]);
    },
  );

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

  test('does not begin at once, since it reads every row, and may take as long as it likes', () => {
    const { duty } = setUp({});
    expect(duty.firstDelayMs).toBeGreaterThan(0);
    expect(duty.firstDelayMs).toBeLessThan(duty.intervalMs());
    expect(duty).toMatchObject({ isNeededForReady: false, stallMs: undefined });
  });

  test('holds its lease for less than the shortest time to its next turn', async () => {
    const { duty, leasesMs, turn } = setUp({ progress: [heard('west', NOW_MS)] });
    await turn();
    expect(leasesMs).toHaveLength(1);
    expect(leasesMs[0]).toBeLessThan(duty.intervalMs() * 0.8);
  });
});
