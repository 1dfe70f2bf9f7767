/** What this design uses, counted: the shipping code of every region in virtual time. */
import type { Clock } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import {
  createMemoryBus,
  createMemoryTableStore,
  createSeededRandomness,
  createVirtualClock,
  driveVirtualTime,
} from '@tandem/core/memory';
import { createMemoryRegion, type MemoryRegion } from '@tandem/storage/testing';
import { customerFor, customerId, customerOf } from '../load/customers.ts';
import { countedBus, countedStore, type Latencies } from './counted-ports.ts';
import { newUsage, type Usage, usageBetween } from './usage.ts';

export interface Workload {
  /** All in one region, as Traffic Manager sends them in priority mode. */
  readonly writesPerSecond: number;
  readonly regions: number;
  /** Whom the writes are to. */
  readonly customers: number;
  readonly seconds: number;
  /** Of the table. */
  readonly bucketCount: number;
}

export interface DesignUsage {
  /** Of one write: what a region does without any is left out. */
  readonly perWrite: Usage;
  /** Of all regions together, with nothing to do: sweeps, watermarks, heartbeats. */
  readonly idlePerSecond: Usage;
  readonly writesPerTransaction: number;
}

const START_MS = Date.UTC(2026, 0, 1);
const LOCK_MS = 60_000;
const DELIVERIES_MAX = 10;
/** As the replicator has them by default. */
const SWEEP_INTERVAL_MS = 1_000;
const HEARTBEAT_INTERVAL_MS = 1_000;
const SECOND_MS = 1_000;
const SETTLE_MS = 5 * SECOND_MS;
const TICK_MS = 5;

type Region = MemoryRegion<typeof customerKind>;

export async function countDesign(workload: Workload, latencies: Latencies): Promise<DesignUsage> {
  const clock = createVirtualClock(START_MS);
  const usage = newUsage();
  const regions = await openRegions(workload, { clock, usage, ...latencies });
  const stopping = new AbortController();
  const duties = regions.map((region) => runDuties(region, clock, stopping.signal));
  const writer = regions[0]!;

  const measure = async (): Promise<DesignUsage> => {
    // Once each, so that no write has to read what nobody remembers yet.
    const seeding = { writesPerSecond: RATE_OF_SEEDING, revisionFrom: 0 };
    const seconds = workload.customers / RATE_OF_SEEDING;
    await writePaced(writer, clock, { ...workload, ...seeding, seconds });
    await clock.sleep(SETTLE_MS);
    const idleFrom = { ...usage };
    await clock.sleep(workload.seconds * SECOND_MS);
    const idlePerSecond = usageBetween(idleFrom, usage, workload.seconds);
    const loadedFrom = { ...usage };
    const setsBefore = writer.committed.length;
    const startedMs = clock.nowMs();
    // Other values than those that are there: a write that changes nothing costs nothing.
    const revisionFrom = workload.customers;
    const writes = await writePaced(writer, clock, { ...workload, revisionFrom });
    await clock.sleep(SETTLE_MS);
    const elapsedSeconds = (clock.nowMs() - startedMs) / SECOND_MS;
    const used = usageBetween(loadedFrom, usage, 1);
    const idle = scale(idlePerSecond, elapsedSeconds);
    return {
      perWrite: usageBetween(idle, used, writes),
      idlePerSecond,
      writesPerTransaction: writes / (writer.committed.length - setsBefore),
    };
  };

  const result = await driveVirtualTime(clock, measure());
  stopping.abort();
  await driveVirtualTime(clock, Promise.allSettled(duties));
  return result;
}

const RATE_OF_SEEDING = 500;

async function openRegions(
  { regions: count, bucketCount }: Workload,
  counted: { readonly clock: Clock; readonly usage: Usage } & Latencies,
): Promise<Region[]> {
  const { clock } = counted;
  const names = Array.from({ length: count }, (_, nth) => `region${nth + 1}`);
  const randomness = createSeededRandomness(1);
  const bus = countedBus(
    createMemoryBus({ clock, lockDurationMs: LOCK_MS, deliveryCountMax: DELIVERIES_MAX }),
    counted,
  );
  return Promise.all(
    names.map((region) =>
      createMemoryRegion({
        region,
        peers: names.filter((name) => name !== region),
        kind: customerKind,
        bucketCount,
        bus,
        clock,
        randomness,
        archivesInRounds: true,
        store: countedStore(createMemoryTableStore(), counted),
      }),
    ),
  );
}

async function runDuties({ replicator }: Region, clock: Clock, signal: AbortSignal): Promise<void> {
  const repeat = async (turn: () => Promise<unknown>, intervalMs: number): Promise<void> => {
    while (!signal.aborted) {
      await turn();
      await clock.sleep(intervalMs, signal);
    }
  };
  await Promise.all([
    repeat(() => replicator.sweepOnce(), SWEEP_INTERVAL_MS),
    repeat(() => replicator.beatOnce(), HEARTBEAT_INTERVAL_MS),
    repeat(() => replicator.receiveOnce(signal), TICK_MS),
  ]);
}

/** Whether or not the earlier ones have been answered. Resolves with how many there were. */
async function writePaced(
  { table }: Region,
  clock: Clock,
  {
    writesPerSecond,
    seconds,
    customers,
    revisionFrom,
  }: Workload & { readonly revisionFrom: number },
): Promise<number> {
  const count = Math.ceil(writesPerSecond * seconds);
  const pending: Promise<unknown>[] = [];
  const startedMs = clock.nowMs();
  for (let nth = 0; nth < count; nth += 1) {
    const dueMs = startedMs + (nth * SECOND_MS) / writesPerSecond;
    if (dueMs > clock.nowMs()) await clock.sleep(dueMs - clock.nowMs());
    const customer = customerOf(nth, customers);
    pending.push(table.put(customerId(customer), customerFor(customer, revisionFrom + nth)));
  }
  await Promise.all(pending);
  return count;
}

function scale(usage: Usage, factor: number): Usage {
  return usageBetween(newUsage(), usage, 1 / factor);
}
