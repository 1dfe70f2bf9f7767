import { type EntityKind, holdLeases } from '@tandem/core';
import { UsageError } from './exit-codes.ts';
import { findInventory, type Inventory, type InventoryRegion } from './inventory/inventory.ts';
import type { Io, WorkIo } from './io.ts';
import { type ClientTable, chooseKind } from './regions/choose-kind.ts';
import { LOOKING_MS_MAX, WRITING_MS_MAX } from './regions/patience.ts';
import { type CliRegion, openCliRegion } from './regions/region.ts';
import { escapeValue } from './report/escape-text.ts';
import { createProgress, type Progress } from './report/progress.ts';

/** Options that every command takes. */
export interface CommonOptions {
  readonly regions?: string;
  readonly json: boolean;
  readonly requestsMax: number;
  /** Those of commands that write. */
  readonly apply?: boolean;
  readonly forReal?: boolean;
}

/** Is one run of one command. */
export interface Session {
  /** Its signal ends the work also when a lease is lost. */
  readonly io: WorkIo;
  /** Whose rows it is about. */
  readonly kind: EntityKind;
  /** The table of clients whose rows it is about; undefined where it is about all rows of the kind. */
  readonly table: ClientTable | undefined;
  readonly progress: Progress;
  /** Says a line while the work goes on, beside the outcome. */
  tell(line: string): void;
  /** Names this run. */
  readonly holder: string;
  inventory(): Promise<Inventory>;
  /** Throws `UsageError` when the inventory does not name it. */
  entry(name: string): Promise<InventoryRegion>;
  /** All regions without names. Throws `UsageError` when their bucket counts differ. */
  open(names?: readonly string[]): Promise<readonly CliRegion[]>;
  /** Throws `UsageError` for a region that has no tables of ours. */
  openOne(name: string): Promise<CliRegion>;
  /** Opens a region that may have no tables of ours: for what asks nothing of its buckets. */
  openAsIs(name: string): Promise<CliRegion>;
  /** Opens a region that may have no tables yet, and has so many buckets then. */
  openToFill(name: string, bucketCount: number): Promise<CliRegion>;
  /** The same run, about the rows of another kind, or of one table among them. */
  of(kind: EntityKind, table?: ClientTable): Session;
  /** Requests by region, as far as regions were opened. */
  requests(): Readonly<Record<string, number>>;
  /**
   * Does the work while no one else recovers these regions. Throws `RECOVERY_BUSY`, also when it was
   * taken over by someone on the way; the tables for it must be there.
   */
  alone<T>(regions: readonly CliRegion[], work: () => Promise<T>): Promise<T>;
}

export function createSession(surroundings: Io, options: CommonOptions): Session {
  const leaseLost = new AbortController();
  const io = {
    ...surroundings,
    signal: AbortSignal.any([surroundings.signal, leaseLost.signal]),
  };
  const holder = `cli-${io.randomness.uuid().slice(0, 8)}`;
  const progress = createProgress(io);
  const opened: CliRegion[] = [];
  let inventory: Promise<Inventory> | undefined;

  const sessionOf = (kind: EntityKind, table?: ClientTable): Session => {
    const openRegion = async (name: string, bucketCount: number): Promise<CliRegion> => {
      const isWriting = options.apply === true || options.forReal === true;
      const region = await openCliRegion({
        entry: await session.entry(name),
        names: (await session.inventory()).regions.map((one) => one.name),
        kind,
        idPrefix: table?.tableId,
        openStore: io.openStore,
        requestsMax: options.requestsMax,
        clock: io.clock,
        randomness: io.randomness,
        holder,
        silenceMsMax: isWriting ? WRITING_MS_MAX : LOOKING_MS_MAX,
        bucketCount,
      });
      opened.push(region);
      return region;
    };
    const session: Session = {
      io,
      kind,
      table,
      of: sessionOf,
      holder,
      progress,
      tell: (line) => io.err(`${escapeValue(line)}\n`),
      inventory: () => (inventory ??= findInventory(io, options.regions)),
      entry: async (name) => findEntry(await session.inventory(), name),
      async open(names) {
        const wanted = names ?? (await session.inventory()).regions.map(({ name }) => name);
        const regions = await Promise.all(wanted.map((name) => session.openOne(name)));
        checkBuckets(regions);
        return regions;
      },
      async openOne(name) {
        const region = await session.openAsIs(name);
        requireBuckets(region, kind);
        return region;
      },
      openAsIs: (name) => openRegion(name, 0),
      openToFill: (name, bucketCount) => openRegion(name, bucketCount),
      requests: () => countRequestsOf(opened),
      alone: (regions, work) => holdLeases(regions, { ...io, leaseLost }, work),
    };
    return session;
  };
  return sessionOf(chooseKind(undefined));
}

function findEntry({ regions }: Inventory, name: string): InventoryRegion {
  const found = regions.find((region) => region.name === name);
  if (found !== undefined) return found;
  const names = regions.map((region) => region.name).join(', ');
  throw new UsageError(`There is no region "${name}" in the inventory; there is ${names}.`);
}

/** A region may be opened for several kinds. */
function countRequestsOf(opened: readonly CliRegion[]): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const region of opened) {
    counts.set(region.name, (counts.get(region.name) ?? 0) + region.requests());
  }
  return Object.fromEntries(counts);
}

/** Refuses a region without buckets: every question would be answered as if nothing were there. */
function requireBuckets({ name, bucketCount }: CliRegion, kind: EntityKind): void {
  if (bucketCount > 0) return;
  throw new UsageError(
    `The region ${name} has no tables of ours: its Configuration records no bucket count of ${kind.name}. ` +
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
