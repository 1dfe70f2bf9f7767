import { chunk, forEachBounded } from '../concurrency/bounded.ts';
import { decodeOpenId } from '../entity-kind/open-id.ts';
import { rowBytes } from '../limits/row-size.ts';
import { ROWS_PER_TRANSACTION_MAX } from '../limits/table-limits.ts';
import type { Horizons } from '../model/horizons.ts';
import type { RecoveryRegion, ScannedRow } from '../ports/recovery-region.ts';
import { mayBeGone, readTombstones } from '../retention/retention-horizon.ts';
import { type EntityState, isAlive } from '../state/entity-state.ts';
import {
  type Difference,
  describeDifference,
  isSameState,
  readReadable,
  type StatesByRegion,
  stateText,
} from './difference.ts';
import { type JournalsComparison, type VerifyJournalsOptions, verifyJournals } from './journals.ts';

export interface VerifyOptions extends VerifyJournalsOptions {
  readonly createDigest: () => Digest;
  /** Tombstones older than this may have been collected by some region; of tables with an age of their own the regions tell. */
  readonly tombstoneAgeMs: number;
  readonly onRows?: (count: number) => void;
}

export interface VerifyReport {
  /** Every write acknowledged before this time was compared, in milliseconds. */
  readonly asOfMs: number;
  readonly isEqual: boolean;
  readonly buckets: readonly BucketComparison[];
  /** Were not the same at first, and were when they were read again: writes under way. */
  readonly settledCount: number;
  /** Were not the same to the end; described are at most `DIFFERENCES_MAX` of them. */
  readonly differentCount: number;
  readonly differences: readonly Difference[];
  /** Left out of the comparison, and no proof of equality while an operator has not set them aside. */
  readonly damaged: readonly DamagedRow[];
  readonly journals: JournalsComparison;
  /** What was deleted before these times counted as no row. */
  readonly tombstones: Horizons;
}

const DIFFERENCES_MAX = 10_000;
const BUCKETS_AT_ONCE_MAX = 4;
const READ_BATCH_MAX = 100;

/**
 * Tells whether the regions hold the same rows, field for field and stamp for stamp, and have recorded the same
 * conflicts. Each row and each conflict is proven at its own time: it was read the same in every region after
 * `asOfMs`, so each region contains all that any of them had acknowledged before. Reads only.
 */
export async function verifyRegions(options: VerifyOptions): Promise<VerifyReport> {
  const { regions, clock, createDigest, onRows } = options;
  const asOfMs = clock.nowMs();
  const tombstones = await readTombstones(regions, asOfMs - options.tombstoneAgeMs);
  const suspects: Suspect[] = [];
  const buckets: BucketComparison[] = [];
  let suspectCount = 0;
  await forEachBounded(options.buckets, BUCKETS_AT_ONCE_MAX, async (bucket) => {
    const comparison = await compareBucket(regions, bucket, {
      createDigest,
      tombstones,
      ...(onRows === undefined ? {} : { onRows }),
      async onDifferent(entityIds) {
        suspectCount += entityIds.length;
        const room = DIFFERENCES_MAX - suspects.length;
        suspects.push(...entityIds.slice(0, room).map((entityId) => ({ bucket, entityId })));
      },
    });
    buckets.push(comparison);
  });
  const { left, damaged: damagedSince } = await recheck(suspects, options, tombstones);
  const journals = await verifyJournals(options);
  const differentCount = left.length + suspectCount - suspects.length;
  const damaged = [...buckets.flatMap((one) => one.damaged), ...damagedSince];
  return {
    asOfMs,
    isEqual: differentCount === 0 && damaged.length === 0 && areSameJournals(journals),
    buckets: buckets.toSorted((a, b) => (a.bucket < b.bucket ? -1 : 1)),
    settledCount: suspects.length - left.length,
    differentCount,
    differences: left.map(({ bucket, entityId, states }) =>
      describeDifference(bucket, entityId, states),
    ),
    damaged,
    journals,
    tombstones,
  };
}

function areSameJournals({ differentCount, damagedCount }: JournalsComparison): boolean {
  return differentCount === 0 && damagedCount === 0;
}

interface Suspect {
  readonly bucket: string;
  readonly entityId: string;
}

interface Convict extends Suspect {
  readonly states: StatesByRegion;
}

interface Rechecked {
  readonly left: readonly Convict[];
  /** What could be read in the scan and cannot any more: nobody can say that it is the same. */
  readonly damaged: readonly DamagedRow[];
}

/** Reads again what differed, until it is the same or was read often enough. */
async function recheck(
  suspects: readonly Suspect[],
  { regions, clock, recheckCountMax, recheckDelayMs }: VerifyOptions,
  tombstones: Horizons,
): Promise<Rechecked> {
  let left: readonly Suspect[] = suspects;
  let convicts: Convict[] = [];
  const damaged: DamagedRow[] = [];
  for (let round = 0; left.length > 0 && round <= recheckCountMax; round += 1) {
    // At once at first: most of it is still under way only for as long as the scan took.
    if (round > 0) await clock.sleep(recheckDelayMs);
    convicts = [];
    for (const [bucket, own] of Map.groupBy(left, (one) => one.bucket)) {
      for (const part of chunk(own, { countMax: READ_BATCH_MAX })) {
        const ids = part.map(({ entityId }) => entityId);
        const read = await readStates(regions, bucket, ids);
        damaged.push(...read.damaged);
        for (const [entityId, states] of read.states) {
          if (!areSame(entityId, states, tombstones)) convicts.push({ bucket, entityId, states });
        }
      }
    }
    left = convicts;
  }
  return { left: convicts, damaged };
}

/** Returns the states of the entities in every region. */
async function readStates(
  regions: readonly RecoveryRegion[],
  bucket: string,
  entityIds: readonly string[],
): Promise<{
  readonly states: ReadonlyMap<string, StatesByRegion>;
  readonly damaged: readonly DamagedRow[];
}> {
  const read = await Promise.all(
    regions.map(async ({ region, replica }) => ({
      region,
      ...(await readReadable(replica, bucket, entityIds)),
    })),
  );
  // What cannot be read somewhere is reported as damaged, and differs from nothing.
  const isReadable = (entityId: string): boolean =>
    read.every(({ damaged }) => !damaged.has(entityId));
  const states = new Map(
    entityIds
      .filter(isReadable)
      .map((entityId) => [
        entityId,
        new Map(read.map(({ region, rows }) => [region, rows.get(entityId)?.state])),
      ]),
  );
  const damaged = read.flatMap(({ region, damaged: ids }) =>
    [...ids].map((rowKey) => ({ region, bucket, rowKey, problem: UNREADABLE, isForeign: false })),
  );
  return { states, damaged };
}

const UNREADABLE = 'it cannot be read any more';

function areSame(entityId: string, states: StatesByRegion, tombstones: Horizons): boolean {
  const visible = (state: EntityState | undefined): EntityState | undefined =>
    state !== undefined && mayBeGone(entityId, state, tombstones) ? undefined : state;
  const [first, ...others] = [...states.values()].map(visible);
  return others.every((state) => isSameState(state, first));
}

/** A running digest of texts, in their order; which hash it is the caller chooses. */
export interface Digest {
  update(text: string): void;
  hex(): string;
}

export interface CompareOptions {
  readonly createDigest: () => Digest;
  /** Tombstones stamped before these times count as no row. */
  readonly tombstones: Horizons;
  /** Told of the ids whose rows are not the same everywhere, at most `ROWS_PER_TRANSACTION_MAX` at a time. */
  readonly onDifferent: (entityIds: readonly string[]) => Promise<void>;
  readonly onRows?: (count: number) => void;
}

export interface DamagedRow {
  readonly region: string;
  readonly bucket: string;
  readonly rowKey: string;
  readonly problem: string;
  /** No entity can have the key: nothing is missing for it. */
  readonly isForeign: boolean;
}

export interface BucketComparison {
  readonly bucket: string;
  /** Is kept by region. */
  readonly rows: ReadonlyMap<string, number>;
  /** By region: what clients have written, by the formula of `rowBytes`, without what replication keeps beside. */
  readonly bytes: ReadonlyMap<string, number>;
  /** Is kept by region. */
  readonly digests: ReadonlyMap<string, string>;
  readonly damaged: readonly DamagedRow[];
}

/**
 * Reads one bucket of every region once, side by side in the order of the keys, so that memory does
 * not grow with the table. Writes under way show as differences: whoever is told reads them again.
 */
export async function compareBucket(
  regions: readonly RecoveryRegion[],
  bucket: string,
  options: CompareOptions,
): Promise<BucketComparison> {
  const readers = regions.map((region) => createReader(region, bucket, options));
  const different: string[] = [];
  const damaged: DamagedRow[] = [];
  const flush = async (countMin: number): Promise<void> => {
    if (different.length < countMin) return;
    for (const part of chunk(different.splice(0), { countMax: ROWS_PER_TRANSACTION_MAX })) {
      await options.onDifferent(part);
    }
  };
  await Promise.all(readers.map((reader) => reader.advance()));
  for (;;) {
    const key = leastKey(readers.map((reader) => reader.head()?.rowKey));
    if (key === undefined) break;
    const atKey = readers.filter((reader) => reader.head()?.rowKey === key);
    // A damaged row is told of as such: nobody can say what it should be compared with.
    const isDamaged = atKey.some((reader) => reader.head()?.kind === 'damaged');
    const texts = readers.map((reader) => (atKey.includes(reader) ? reader.take(damaged) : ''));
    if (!isDamaged && new Set(texts).size > 1) different.push(...idsOf(atKey));
    options.onRows?.(atKey.length);
    await flush(ROWS_PER_TRANSACTION_MAX);
    await Promise.all(atKey.map((reader) => reader.advance()));
  }
  await flush(1);
  return {
    bucket,
    rows: new Map(readers.map((reader) => [reader.region, reader.count()])),
    bytes: new Map(readers.map((reader) => [reader.region, reader.bytes()])),
    digests: new Map(readers.map((reader) => [reader.region, reader.digest()])),
    damaged,
  };
}

interface Reader {
  readonly region: string;
  head(): ScannedRow | undefined;
  /** The text of the row at the head, empty where it counts as none. */
  take(damaged: DamagedRow[]): string;
  advance(): Promise<void>;
  count(): number;
  bytes(): number;
  digest(): string;
}

function createReader(
  { region, rows }: RecoveryRegion,
  bucket: string,
  { createDigest, tombstones }: CompareOptions,
): Reader {
  const iterator = rows.scan(bucket)[Symbol.asyncIterator]();
  const digest = createDigest();
  let head: ScannedRow | undefined;
  let count = 0;
  let bytes = 0;
  return {
    region,
    head: () => head,
    take(damaged) {
      if (head === undefined) return '';
      if (head.kind === 'damaged') {
        const { rowKey, problem, isForeign } = head;
        damaged.push({ region, bucket, rowKey, problem, isForeign });
        return '';
      }
      if (mayBeGone(head.row.entityId, head.row.state, tombstones)) return '';
      const text = stateText(head.row.state);
      digest.update(`${head.rowKey}\n${text}\n`);
      count += 1;
      bytes += clientBytes(head.row.entityId, head.row.state);
      return text;
    },
    async advance() {
      const next = await iterator.next();
      head = next.done === true ? undefined : next.value;
    },
    count: () => count,
    bytes: () => bytes,
    digest: () => digest.hex(),
  };
}

/** A tombstone holds nothing of a client, and a field that was taken away neither. */
function clientBytes(entityId: string, state: EntityState): number {
  if (!isAlive(state)) return 0;
  const { partitionKey = '', rowKey = entityId } = decodeOpenId(entityId) ?? {};
  const fields = [...state.fields].flatMap(([name, { value }]) =>
    value === null ? [] : [[name, value] as const],
  );
  return rowBytes(partitionKey, rowKey, new Map(fields));
}

function leastKey(keys: readonly (string | undefined)[]): string | undefined {
  let least: string | undefined;
  for (const key of keys) {
    if (key !== undefined && (least === undefined || key < least)) least = key;
  }
  return least;
}

/** Returns one id, or none where every row under the key is damaged. */
function idsOf(readers: readonly Reader[]): string[] {
  for (const reader of readers) {
    const head = reader.head();
    if (head?.kind === 'row') return [head.row.entityId];
  }
  return [];
}
