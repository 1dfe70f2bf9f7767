import { forEachBounded } from '../concurrency/bounded.ts';
import { type Conflict, joinConflicts } from '../model/conflict.ts';
import { type Horizons, horizonOf, joinHorizons } from '../model/horizons.ts';
import type { Clock } from '../ports/clock.ts';
import type { RecoveryRegion } from '../ports/recovery-region.ts';
import { type Stamp, stampTimeMs } from '../time/stamp.ts';
import { encodeConflict } from '../wire/encode-conflict.ts';

/*
 * Journals of conflicts are the same in every region once all that each has found is told (docs/adr/0024). What a
 * region has told and then loses nobody tells again: so journals are compared as rows are, and joined.
 */

/** Is a conflict that the regions do not record alike, by its name: its values are nobody's business here. */
export interface ConflictDifference {
  readonly bucket: string;
  readonly entityId: string;
  /** Names the two transactions, the smaller stamp first. */
  readonly stamps: readonly [Stamp, Stamp];
  /** Holds the regions whose record says less than the join of all: those that a repair writes in. */
  readonly behind: readonly string[];
}

export interface CompareJournalsOptions {
  readonly bucket: string;
  /**
   * From when on every one of the regions keeps its conflicts; asked of the regions by default. Of their times the
   * newest count, so that what one has trimmed neither counts as lost nor is brought back by another.
   */
  readonly kept?: Horizons | undefined;
  /** Told of each conflict that is not the same everywhere, with the join of all records of it. */
  readonly onDifferent: (difference: ConflictDifference, joined: Conflict) => Promise<void> | void;
  /** Told how many records were read, region by region and conflict by conflict. */
  readonly onConflicts?: ((count: number) => void) | undefined;
  /** Told of each record that nobody can read: it counts as missing. */
  readonly onDamaged?: () => void;
}

/**
 * Reads one bucket of every region's journal once, side by side in the order of the transactions, so that memory
 * does not grow with the journals. Resolves with the number of conflicts that count, by region. What is being told
 * shows as a difference: whoever is told of it reads again.
 */
export async function compareJournals(
  regions: readonly RecoveryRegion[],
  { bucket, kept, onDifferent, onConflicts, onDamaged }: CompareJournalsOptions,
): Promise<ReadonlyMap<string, number>> {
  const from = kept ?? (await readKept(regions));
  const readers = regions.map((region) => createReader(region, { bucket, kept: from, onDamaged }));
  await Promise.all(readers.map((reader) => reader.advance()));
  for (;;) {
    const [key] = readers.flatMap((reader) => reader.head()?.key ?? []).toSorted(inOrder);
    if (key === undefined) break;
    const atKey = readers.filter((reader) => reader.head()?.key === key);
    const groups = readers.map((reader) => (atKey.includes(reader) ? reader.head() : undefined));
    const ids = new Set(groups.flatMap((group) => [...(group?.byEntity.keys() ?? [])]));
    for (const entityId of ids) {
      const records = groups.map((group) => group?.byEntity.get(entityId));
      const joined = joinUnlessSame(records);
      if (joined === undefined) continue;
      const text = textOf(joined);
      const behind = regions.flatMap(({ region }, at) =>
        textOf(records[at]) === text ? [] : [region],
      );
      await onDifferent({ bucket, entityId, stamps: joined.stamps, behind }, joined);
    }
    onConflicts?.(groups.reduce((sum, group) => sum + (group?.byEntity.size ?? 0), 0));
    await Promise.all(atKey.map((reader) => reader.advance()));
  }
  return new Map(readers.map((reader) => [reader.region, reader.count()]));
}

/** Resolves with the times from which on each of the journals has every conflict. */
export async function readKept(
  regions: readonly Pick<RecoveryRegion, 'conflictsFrom'>[],
): Promise<Horizons> {
  const read = regions.flatMap(({ conflictsFrom }) => conflictsFrom?.read() ?? []);
  return joinHorizons(await Promise.all(read));
}

/** Names a conflict within its bucket. */
export function conflictKey({ entityId, stamps }: Pick<Conflict, 'entityId' | 'stamps'>): string {
  return `${orderOf(stamps)}${entityId}`;
}

export interface VerifyJournalsOptions {
  readonly regions: readonly RecoveryRegion[];
  readonly buckets: readonly string[];
  readonly clock: Clock;
  /** How often what differs is read again, for a write under way looks like a difference. */
  readonly recheckCountMax: number;
  readonly recheckDelayMs: number;
  readonly onConflicts?: ((count: number) => void) | undefined;
}

/** How the journals of conflicts compare. */
export interface JournalsComparison {
  /** Is kept by region. */
  readonly recorded: ReadonlyMap<string, number>;
  /** Were not the same at first, and were when they were read again: a region was being told of them. */
  readonly settledCount: number;
  /** Were not the same to the end; named are at most `NAMED_MAX` of them. */
  readonly differentCount: number;
  readonly differences: readonly ConflictDifference[];
  /** Records that nobody could read, in the worst reading of each bucket: which conflict they are of nobody knows, so none is proven. */
  readonly damagedCount: number;
}

const NAMED_MAX = 10_000;
const BUCKETS_AT_ONCE_MAX = 4;

/** Compares the journals, and reads them again in the buckets where they were not the same. Reads only. */
export async function verifyJournals(options: VerifyJournalsOptions): Promise<JournalsComparison> {
  const { regions, clock, onConflicts } = options;
  const kept = await readKept(regions);
  const recorded = new Map<string, number>();
  const damaged = new Map<string, number>();
  /** What was read in the scan may be unreadable when it is read again, in every region that had it. */
  const compare = async (
    bucket: string,
    onDifferent: (difference: ConflictDifference) => void,
  ): Promise<ReadonlyMap<string, number>> => {
    let count = 0;
    const onDamaged = (): void => void (count += 1);
    const read = { bucket, kept, onConflicts, onDamaged, onDifferent };
    const counts = await compareJournals(regions, read);
    damaged.set(bucket, Math.max(count, damaged.get(bucket) ?? 0));
    return counts;
  };
  let suspects = new Map<string, ConflictDifference>();
  let unnamedCount = 0;
  await forEachBounded(options.buckets, BUCKETS_AT_ONCE_MAX, async (bucket) => {
    const counts = await compare(bucket, (difference) => {
      if (suspects.size < NAMED_MAX) suspects.set(conflictKey(difference), difference);
      else unnamedCount += 1;
    });
    for (const [region, count] of counts) recorded.set(region, (recorded.get(region) ?? 0) + count);
  });
  const suspectCount = suspects.size;
  for (let round = 0; suspects.size > 0 && round <= options.recheckCountMax; round += 1) {
    if (round > 0) await clock.sleep(options.recheckDelayMs);
    const left = new Map<string, ConflictDifference>();
    for (const bucket of new Set([...suspects.values()].map((one) => one.bucket))) {
      await compare(bucket, (difference) => {
        const key = conflictKey(difference);
        if (suspects.has(key)) left.set(key, difference);
      });
    }
    suspects = left;
  }
  return {
    recorded,
    settledCount: suspectCount - suspects.size,
    differentCount: suspects.size + unnamedCount,
    differences: [...suspects.values()],
    damagedCount: [...damaged.values()].reduce((sum, count) => sum + count, 0),
  };
}

export interface JoinJournalsOptions {
  readonly regions: readonly RecoveryRegion[];
  readonly bucket: string;
  readonly kept?: Horizons | undefined;
  /** Leaves all others as they are; every conflict of the bucket is joined by default. */
  readonly only?: ReadonlySet<string>;
  /** Told how many conflicts are the same everywhere since. */
  readonly onJoined?: (count: number) => void;
}

/** Bounds what waits to be written. */
const PENDING_MAX = 100;
const PENDING_CHARS_MAX = 1024 * 1024;

/**
 * Gives the journal of each region what it lacks of the others': the join of all records of a conflict, so nothing
 * that was recorded meanwhile is overwritten, and what was erased stays so. May be interrupted at any point and
 * repeated. Resolves with the conflicts written, by region. Throws `WRITE_CONTENDED`.
 */
export async function joinJournals(
  options: JoinJournalsOptions,
): Promise<ReadonlyMap<string, number>> {
  const { regions, bucket, kept, only, onJoined } = options;
  const written = new Map<string, number>();
  const pending: { readonly joined: Conflict; readonly behind: readonly string[] }[] = [];
  let chars = 0;
  const flush = async (): Promise<void> => {
    const part = pending.splice(0);
    chars = 0;
    for (const { region, conflicts } of regions) {
      const own = part.filter(({ behind }) => behind.includes(region));
      if (own.length === 0) continue;
      await conflicts.accept(own.map(({ joined }) => joined));
      written.set(region, (written.get(region) ?? 0) + own.length);
    }
    if (part.length > 0) onJoined?.(part.length);
  };
  await compareJournals(regions, {
    bucket,
    kept,
    async onDifferent(difference, joined) {
      if (only?.has(conflictKey(difference)) === false) return;
      pending.push({ joined, behind: difference.behind });
      chars += textOf(joined).length;
      if (pending.length >= PENDING_MAX || chars >= PENDING_CHARS_MAX) await flush();
    },
  });
  await flush();
  return written;
}

export interface RepairJournalsOptions {
  readonly regions: readonly RecoveryRegion[];
  readonly conflicts: readonly ConflictDifference[];
  readonly onProgress?: (done: number) => void;
}

/**
 * Gives each journal what it lacks of the conflicts that were planned. Reads the journals of their buckets again,
 * so what was recorded since is joined too. May be interrupted at any point and repeated. Resolves with the
 * conflicts written by region.
 */
export async function repairJournals(
  options: RepairJournalsOptions,
): Promise<ReadonlyMap<string, number>> {
  const { regions, conflicts, onProgress } = options;
  const written = new Map<string, number>();
  let done = 0;
  for (const [bucket, own] of Map.groupBy(conflicts, (conflict) => conflict.bucket)) {
    const counts = await joinJournals({
      regions,
      bucket,
      only: new Set(own.map(conflictKey)),
      onJoined: (count) => onProgress?.((done += count)),
    });
    for (const [region, count] of counts) written.set(region, (written.get(region) ?? 0) + count);
  }
  return written;
}

/** Holds the conflicts between the same two transactions, by entity: at most as many as a commit has changes. */
interface Group {
  readonly key: string;
  readonly byEntity: ReadonlyMap<string, Conflict>;
}

interface Reader {
  readonly region: string;
  head(): Group | undefined;
  advance(): Promise<void>;
  count(): number;
}

function createReader(
  { region, entityKind, conflicts }: RecoveryRegion,
  {
    bucket,
    kept,
    onDamaged,
  }: {
    readonly bucket: string;
    readonly kept: Horizons;
    readonly onDamaged: (() => void) | undefined;
  },
): Reader {
  const iterator = conflicts.scan(entityKind, bucket, onDamaged)[Symbol.asyncIterator]();
  let next: Conflict | undefined;
  let hasBegun = false;
  let head: Group | undefined;
  let count = 0;
  const read = async (): Promise<Conflict | undefined> => {
    for (;;) {
      const { done, value } = await iterator.next();
      if (done === true) return undefined;
      if (stampTimeMs(value.stamps[1]) >= (horizonOf(kept, value.entityId) ?? 0)) return value;
    }
  };
  return {
    region,
    head: () => head,
    async advance() {
      if (!hasBegun) next = await read();
      hasBegun = true;
      if (next === undefined) {
        head = undefined;
        return;
      }
      const key = orderOf(next.stamps);
      const byEntity = new Map<string, Conflict>();
      while (next !== undefined && orderOf(next.stamps) === key) {
        const own = byEntity.get(next.entityId);
        // A build before wrote some under another key: both are records of the one conflict.
        byEntity.set(next.entityId, own === undefined ? next : joinConflicts(own, next));
        next = await read();
      }
      count += byEntity.size;
      head = { key, byEntity };
    },
    count: () => count,
  };
}

/** Returns undefined where every region has the same record. */
function joinUnlessSame(records: readonly (Conflict | undefined)[]): Conflict | undefined {
  if (new Set(records.map(textOf)).size < 2) return undefined;
  const [first, ...others] = records.filter((record) => record !== undefined);
  return others.reduce<Conflict | undefined>(
    (joined, record) => joined && joinConflicts(joined, record),
    first,
  );
}

const decoder = new TextDecoder();

function textOf(conflict: Conflict | undefined): string {
  return conflict === undefined ? '' : decoder.decode(encodeConflict(conflict));
}

/** Spells the order of a journal: by the later transaction, then by the earlier one. No stamp holds a tilde. */
function orderOf([smaller, greater]: Conflict['stamps']): string {
  return `${greater}~${smaller}~`;
}

function inOrder(a: string, b: string): number {
  return a < b ? -1 : 1;
}
