import { type EntityKind, TransientError } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { findInventory } from './inventory/find-inventory.ts';
import type { Inventory, InventoryRegion } from './inventory/inventory.ts';
import type { Io } from './io.ts';
import { type CliRegion, openCliRegion } from './regions/cli-region.ts';
import { createProgress, type Progress } from './report/progress.ts';
import { UsageError } from './usage-error.ts';

/** Options that every command takes. */
export interface CommonOptions {
  readonly regions?: string;
  readonly json: boolean;
  readonly requestsMax: number;
}

/** One run of one command. */
export interface Session {
  readonly io: Io;
  readonly kind: EntityKind;
  readonly progress: Progress;
  /** Names this run. */
  readonly holder: string;
  inventory(): Promise<Inventory>;
  /** Throws `UsageError` when the inventory does not name it. */
  entry(name: string): Promise<InventoryRegion>;
  /** All regions without names. Throws `UsageError` when their bucket counts differ. */
  open(names?: readonly string[]): Promise<readonly CliRegion[]>;
  /** Throws `UsageError` for a region that records no bucket count, unless one is given to be used then. */
  openOne(name: string, bucketCount?: number): Promise<CliRegion>;
  /** Requests by region, as far as regions were opened. */
  requests(): Readonly<Record<string, number>>;
  /**
   * Does the work while no one else recovers these regions. Throws `RECOVERY_BUSY`; the tables for it
   * must be there.
   */
  alone<T>(regions: readonly CliRegion[], work: () => Promise<T>): Promise<T>;
}

export const LEASE_MS = 60_000;
const RENEW_MS = 20_000;

export function createSession(io: Io, options: CommonOptions): Session {
  const { clock, randomness } = io;
  const kind = customerKind;
  const holder = `cli-${randomness.uuid().slice(0, 8)}`;
  const opened: CliRegion[] = [];
  let inventory: Promise<Inventory> | undefined;

  const session: Session = {
    io,
    kind,
    holder,
    progress: createProgress(io),
    inventory: () => (inventory ??= findInventory(io, options.regions)),
    async entry(name) {
      const { regions } = await session.inventory();
      const found = regions.find((region) => region.name === name);
      if (found !== undefined) return found;
      const names = regions.map((region) => region.name).join(', ');
      throw new UsageError(`There is no region "${name}" in the inventory; there is ${names}.`);
    },
    async open(names) {
      const wanted = names ?? (await session.inventory()).regions.map(({ name }) => name);
      const regions = await Promise.all(wanted.map((name) => session.openOne(name)));
      checkBuckets(regions);
      return regions;
    },
    async openOne(name, bucketCount) {
      const entry = await session.entry(name);
      const { requestsMax } = options;
      const region = await openCliRegion({
        entry,
        kind,
        openStore: io.openStore,
        requestsMax,
        clock,
        randomness,
        holder,
        ...(bucketCount === undefined ? {} : { bucketCount }),
      });
      opened.push(region);
      if (bucketCount === undefined) requireBuckets(region);
      return region;
    },
    requests: () => Object.fromEntries(opened.map((region) => [region.name, region.requests()])),
    alone: (regions, work) => holding(regions, io, work),
  };
  return session;
}

/** Of a region without buckets every question would be answered as if nothing were there. */
function requireBuckets({ name, bucketCount }: CliRegion): void {
  if (bucketCount > 0) return;
  throw new UsageError(
    `The region ${name} has no tables of ours: its Configuration records no bucket count. ` +
      `Start it, or fill it with tandem rebuild-region ${name}.`,
  );
}

function checkBuckets(regions: readonly CliRegion[]): void {
  if (new Set(regions.map(({ bucketCount }) => bucketCount)).size <= 1) return;
  const counts = regions.map(({ name, bucketCount }) => `${name} ${bucketCount}`).join(', ');
  throw new UsageError(
    `The regions have different numbers of buckets (${counts}): they are compared bucket by bucket. ` +
      'Rebuild one with the other count.',
  );
}

async function holding<T>(
  regions: readonly CliRegion[],
  { clock, signal }: Io,
  work: () => Promise<T>,
): Promise<T> {
  const held: CliRegion[] = [];
  const done = new AbortController();
  try {
    for (const region of regions) {
      if (!(await region.lease.acquire(LEASE_MS))) throw busy(region);
      held.push(region);
    }
    signal.throwIfAborted();
    const renewing = renew(held, clock, done.signal);
    const result = await work();
    done.abort();
    await renewing;
    return result;
  } finally {
    done.abort();
    await Promise.allSettled(held.map(({ lease }) => lease.release()));
  }
}

async function renew(
  regions: readonly CliRegion[],
  clock: Io['clock'],
  done: AbortSignal,
): Promise<void> {
  for (;;) {
    await clock.sleep(RENEW_MS, done);
    if (done.aborted) return;
    // A renewal that fails costs nothing: rows are guarded by their ETags.
    await Promise.allSettled(regions.map(({ lease }) => lease.acquire(LEASE_MS)));
  }
}

function busy({ name }: CliRegion): TransientError {
  return new TransientError(
    'RECOVERY_BUSY',
    `Someone else recovers the region ${name} now. Wait until that ends; when it was cut off, it is ` +
      `over ${LEASE_MS / 1_000} s later.`,
  );
}
