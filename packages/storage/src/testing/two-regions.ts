import type { TypedKind } from '@tandem/core';
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

export interface MemoryRegions<K extends TypedKind> {
  readonly regions: readonly MemoryRegion<K>[];
  readonly bus: FaultyBus;
  readonly clock: VirtualClock;
  /** Runs `work`, moving time whenever everything sleeps. */
  drive<T>(work: Promise<T>): Promise<T>;
  /** Sweeps and receives in every region until no queue and no outbox holds anything. */
  settle(): Promise<void>;
}

export interface TwoRegions<K extends TypedKind> extends MemoryRegions<K> {
  readonly east: MemoryRegion<K>;
  readonly west: MemoryRegion<K>;
}

const ROUNDS_MAX = 200;
const START_MS = Date.UTC(2026, 0, 1);

type RegionSettings<K extends TypedKind> = Partial<
  Pick<
    MemoryRegionOptions<K>,
    | 'relaysAtOnce'
    | 'tombstoneAgeMs'
    | 'skewMs'
    | 'store'
    | 'wireVersion'
    | 'largeSets'
    | 'archivesInRounds'
    | 'bucketCount'
    | 'onCommitted'
  >
>;

interface CommonSettings {
  readonly seed?: number;
  readonly messageBytesMax?: number;
}

export async function createTwoRegions<K extends TypedKind>(
  kind: K,
  settings: CommonSettings & { east?: RegionSettings<K>; west?: RegionSettings<K> } = {},
): Promise<TwoRegions<K>> {
  const { east = {}, west = {}, ...common } = settings;
  const both = await createMemoryRegions(kind, { east, west }, common);
  const [first, second] = both.regions;
  return { ...both, east: first!, west: second! };
}

/** As many regions as are named, each the peer of all others. */
export async function createMemoryRegions<K extends TypedKind>(
  kind: K,
  named: Readonly<Record<string, RegionSettings<K>>>,
  settings: CommonSettings = {},
): Promise<MemoryRegions<K>> {
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
  const names = Object.keys(named);
  const regions: MemoryRegion<K>[] = [];
  for (const [region, own] of Object.entries(named)) {
    const peers = names.filter((name) => name !== region);
    regions.push(await createMemoryRegion({ kind, bus, clock, randomness, region, peers, ...own }));
  }
  const drive = <T>(work: Promise<T>): Promise<T> => driveVirtualTime(clock, work);

  const isIdle = async (region: MemoryRegion<K>, received: number): Promise<boolean> => {
    for (const bucket of region.outbox.buckets) {
      const { entries } = await region.outbox.scan({ bucket, limit: 1 });
      if (entries.length > 0) return false;
    }
    for (const peer of names) {
      if ((await region.journal.untold(peer, { limit: 1 })).conflicts.length > 0) return false;
    }
    return received === 0;
  };

  return {
    regions,
    bus,
    clock,
    drive,
    async settle() {
      for (let round = 0; round < ROUNDS_MAX; round += 1) {
        await clock.advance(MEMORY_GRACE_MS);
        let isQuiet = true;
        for (const region of regions) {
          await drive(region.replicator.sweepOnce());
          const received = await drive(region.replicator.receiveOnce(new AbortController().signal));
          await drive(region.replicator.beatOnce());
          // A watermark of each peer is received every round; only changes count as unrest.
          isQuiet &&= await isIdle(region, Math.max(0, received - (names.length - 1)));
        }
        if (isQuiet && round > 1) return;
      }
      throw new Error(`The regions did not settle within ${ROUNDS_MAX} rounds.`);
    },
  };
}
