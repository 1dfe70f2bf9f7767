import { bucketNames, type Clock, type OutboxEntry } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { createMemoryBus } from '@tandem/core/memory';
import { createSystemClock, createSystemRandomness } from '@tandem/service-kit';
import { createRowMemory, type RowMemory } from '@tandem/storage';
import {
  createMemoryRegion,
  createTableRowScanner,
  type MemoryRegion,
} from '@tandem/storage/testing';
import { type RemoteStore, startRemoteStore } from './remote-store.ts';

type Region = MemoryRegion<typeof customerKind>;

interface CountedRegion extends Region {
  readonly remote: RemoteStore;
  readonly memories: { readonly table: RowMemory; readonly replica: RowMemory };
}

/** The shipping code of two regions in this process, each over tables in a process of its own. */
export interface CountedRegions {
  readonly east: CountedRegion;
  readonly west: CountedRegion;
  /** Resolves when the other region has archived all that was committed so far. */
  untilReplicated(): Promise<void>;
  /** Makes the writer here and the replicator there remember every row, as if each had been met. */
  rememberAll(): Promise<void>;
}

export interface CountedRegionsOptions {
  readonly customers: number;
  readonly bucketCount: number;
  readonly memoryBytesMax: number;
}

const LOCK_MS = 60_000;
const DELIVERIES_MAX = 10;
/** As the replicator has them by default. */
const SWEEP_INTERVAL_MS = 1_000;
const HEARTBEAT_INTERVAL_MS = 1_000;
const REPLICATED_MS_MAX = 60_000;
const POLL_MS = 5;

export async function openCountedRegions(options: CountedRegionsOptions): Promise<CountedRegions> {
  const clock = createSystemClock();
  const bus = createMemoryBus({
    clock,
    lockDurationMs: LOCK_MS,
    deliveryCountMax: DELIVERIES_MAX,
  });
  const open = async (region: string, peer: string): Promise<CountedRegion> => {
    const remote = await startRemoteStore(region);
    await remote.seed({ ...options, nowMs: clock.nowMs() });
    const bytesMax = options.memoryBytesMax;
    const memories = {
      table: createRowMemory({ bytesMax }),
      replica: createRowMemory({ bytesMax }),
    };
    const opened = await createMemoryRegion({
      region,
      peers: [peer],
      kind: customerKind,
      bucketCount: options.bucketCount,
      bus,
      clock,
      randomness: createSystemRandomness(),
      archivesInRounds: true,
      store: remote.store,
      memories,
    });
    return { ...opened, remote, memories };
  };
  const [east, west] = await Promise.all([open('east', 'west'), open('west', 'east')]);
  for (const region of [east, west]) runDuties(region, clock);
  return {
    east,
    west,
    untilReplicated: () => untilReplicated(east, west, clock),
    async rememberAll() {
      await Promise.all([
        rememberAll(east, east.memories.table, options.bucketCount),
        rememberAll(west, west.memories.replica, options.bucketCount),
      ]);
    },
  };
}

/** For ever: they end with this process, at once when one of them fails. */
function runDuties({ replicator }: Region, clock: Clock): void {
  const repeat = async (turn: () => Promise<unknown>, intervalMs: number): Promise<never> => {
    for (;;) {
      await turn();
      if (intervalMs > 0) await clock.sleep(intervalMs);
    }
  };
  const { signal } = new AbortController();
  void repeat(() => replicator.sweepOnce(), SWEEP_INTERVAL_MS);
  void repeat(() => replicator.beatOnce(), HEARTBEAT_INTERVAL_MS);
  // It waits for messages itself.
  void repeat(() => replicator.receiveOnce(signal), 0);
}

async function untilReplicated(east: Region, west: Region, clock: Clock): Promise<void> {
  const deadlineMs = clock.nowMs() + REPLICATED_MS_MAX;
  const last = new Map(east.committed.map((entry) => [entry.set.bucket, entry]));
  for (const { set } of last.values()) {
    while (!(await west.archive.has(set))) {
      if (clock.nowMs() > deadlineMs)
        throw new Error(`${set.stamp} never reached the other region.`);
      await clock.sleep(POLL_MS);
    }
  }
  // A list for tests, which would be most of this process's memory.
  (east.committed as OutboxEntry[]).length = 0;
}

async function rememberAll(region: Region, memory: RowMemory, bucketCount: number): Promise<void> {
  const scanner = createTableRowScanner({ store: region.store, kind: customerKind });
  for (const bucket of bucketNames(bucketCount)) {
    for await (const scanned of scanner.scan(bucket)) {
      if (scanned.kind === 'row') memory.remember(scanned.row);
    }
  }
}
