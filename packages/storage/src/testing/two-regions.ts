import type { EntityKind } from '@tandem/core';
import {
  createMemoryBus,
  createSeededRandomness,
  createVirtualClock,
  driveVirtualTime,
  type VirtualClock,
} from '@tandem/core/memory';
import { createFaultyBus, type FaultyBus } from './faulty-bus.ts';
import {
  createMemoryRegion,
  MEMORY_GRACE_MS,
  type MemoryRegion,
  type MemoryRegionOptions,
} from './memory-region.ts';

export interface TwoRegions<K extends EntityKind> {
  readonly east: MemoryRegion<K>;
  readonly west: MemoryRegion<K>;
  readonly bus: FaultyBus;
  readonly clock: VirtualClock;
  /** Runs `work`, moving time whenever everything sleeps. */
  drive<T>(work: Promise<T>): Promise<T>;
  /** Sweeps and receives in both regions until no queue and no outbox holds anything. */
  settle(): Promise<void>;
}

const ROUNDS_MAX = 200;
const START_MS = Date.UTC(2026, 0, 1);

type RegionSettings<K extends EntityKind> = Partial<
  Pick<
    MemoryRegionOptions<K>,
    'relaysAtOnce' | 'tombstoneAgeMs' | 'skewMs' | 'store' | 'wireVersion' | 'archivesInRounds'
  >
>;

export async function createTwoRegions<K extends EntityKind>(
  kind: K,
  settings: {
    seed?: number;
    messageBytesMax?: number;
    east?: RegionSettings<K>;
    west?: RegionSettings<K>;
  } = {},
): Promise<TwoRegions<K>> {
  const clock = createVirtualClock(START_MS);
  const randomness = createSeededRandomness(settings.seed ?? 1);
  const bus = createFaultyBus(
    createMemoryBus({
      clock,
      lockDurationMs: 30_000,
      deliveryCountMax: 10,
      ...(settings.messageBytesMax === undefined
        ? {}
        : { messageBytesMax: settings.messageBytesMax }),
    }),
  );
  const common = { kind, bus, clock, randomness };
  const east = await createMemoryRegion({
    ...common,
    region: 'east',
    peers: ['west'],
    ...settings.east,
  });
  const west = await createMemoryRegion({
    ...common,
    region: 'west',
    peers: ['east'],
    ...settings.west,
  });
  const drive = <T>(work: Promise<T>): Promise<T> => driveVirtualTime(clock, work);

  const isIdle = async (region: MemoryRegion<K>, received: number): Promise<boolean> => {
    for (const bucket of region.outbox.buckets) {
      const { entries } = await region.outbox.scan({ bucket, limit: 1 });
      if (entries.length > 0) return false;
    }
    return received === 0;
  };

  return {
    east,
    west,
    bus,
    clock,
    drive,
    async settle() {
      for (let round = 0; round < ROUNDS_MAX; round += 1) {
        await clock.advance(MEMORY_GRACE_MS);
        let isQuiet = true;
        for (const region of [east, west]) {
          await drive(region.replicator.sweepOnce());
          const received = await drive(region.replicator.receiveOnce(new AbortController().signal));
          await drive(region.replicator.beatOnce());
          // A watermark is received every round; only changes count as unrest.
          isQuiet &&= await isIdle(region, Math.max(0, received - 1));
        }
        if (isQuiet && round > 1) return;
      }
      throw new Error(`The regions did not settle within ${ROUNDS_MAX} rounds.`);
    },
  };
}
