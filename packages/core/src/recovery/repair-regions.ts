import { chunk, forEachBounded } from '../concurrency/bounded.ts';
import { untilUncontended } from '../concurrency/retry.ts';
import { assert } from '../errors.ts';
import { fitRow, mergeRows } from '../inbound/decide-apply.ts';
import { ROWS_PER_TRANSACTION_MAX } from '../limits/table-limits.ts';
import {
  CHANGES_PER_SET_MAX,
  type ChangeSet,
  originOf,
  referenceIdOf,
} from '../model/change-set.ts';
import { areConcurrent, type Conflict, findConflicts } from '../model/conflict.ts';
import { type Horizons, horizonOf } from '../model/horizons.ts';
import type { RecoveryRegion } from '../ports/recovery-region.ts';
import type { RowWrite } from '../ports/replica.ts';
import type { EntityState, StoredState } from '../state/entity-state.ts';
import { mergeStates } from '../state/merge.ts';
import { decodeVector, newestStamp } from '../state/version-vector.ts';
import { stampTimeMs } from '../time/stamp.ts';
import {
  type Difference,
  isSameState,
  type ReadableRows,
  readReadable,
  stateText,
} from './difference.ts';
import type { ConflictDifference } from './journals.ts';
import type { VerifyReport } from './verify-regions.ts';

export interface RepairPlan {
  readonly repairs: readonly PlannedRepair[];
  /**
   * Alive in one region, gone in another, and older than every tombstone that is kept: whether it was
   * lost there or deleted long ago cannot be told from the rows. Left alone unless asked for.
   */
  readonly doubtful: readonly Difference[];
  /** What some journals lack, which those that are behind are given. */
  readonly conflicts: readonly ConflictDifference[];
}

export interface PlannedRepair {
  readonly bucket: string;
  readonly entityId: string;
  /** The regions whose row is not what it will be. */
  readonly into: readonly string[];
  readonly difference: Difference;
}

export interface PlanOptions {
  readonly nowMs: number;
  readonly tombstoneAgeMs: number;
  /** Treat what is doubtful as lost. */
  readonly includesDoubtful?: boolean;
}

/** Tells what a repair would do about the differences that a verification found. Pure. */
export function planRepair(
  {
    differences,
    journals,
    tombstones,
  }: Pick<VerifyReport, 'differences'> & {
    /** From the report; what was deleted long ago is judged by the age alone without. */
    readonly tombstones?: Horizons | undefined;
    readonly journals: Pick<VerifyReport['journals'], 'differences'>;
  },
  options: PlanOptions,
): RepairPlan {
  const byAge = {
    kindMs: options.nowMs - options.tombstoneAgeMs,
    tables: tombstones?.tables ?? new Map<string, number>(),
  };
  const isDoubtful = (difference: Difference): boolean =>
    options.includesDoubtful !== true && isOldAndMissing(difference, byAge);
  return {
    repairs: differences
      .filter((difference) => !isDoubtful(difference))
      .map((difference) => ({
        bucket: difference.bucket,
        entityId: difference.entityId,
        into: difference.behind,
        difference,
      })),
    doubtful: differences.filter(isDoubtful),
    conflicts: journals.differences,
  };
}

function isOldAndMissing({ regions, entityId }: Difference, tombstones: Horizons): boolean {
  const horizonMs = horizonOf(tombstones, entityId) ?? Number.NEGATIVE_INFINITY;
  const states = Object.values(regions);
  if (states.every(({ life }) => life !== 'absent')) return false;
  return states
    .filter(({ life }) => life !== 'absent')
    .every(({ version }) => newestMs(version) < horizonMs);
}

function newestMs(version: string): number {
  const vector = decodeVector(version);
  const newest = vector === undefined ? undefined : newestStamp(vector);
  return newest === undefined ? 0 : stampTimeMs(newest);
}

export interface ApplyRepairOptions {
  readonly regions: readonly RecoveryRegion[];
  readonly repairs: readonly Pick<PlannedRepair, 'bucket' | 'entityId'>[];
  readonly onProgress?: (done: number) => void;
}

const BUCKETS_AT_ONCE_MAX = 4;

/**
 * Makes the rows equal by their join. May be interrupted at any point and repeated. Resolves with the
 * rows written by region.
 */
export async function applyRepair(
  options: ApplyRepairOptions,
): Promise<ReadonlyMap<string, number>> {
  const written = new Map<string, number>();
  let done = 0;
  const work = [...Map.groupBy(options.repairs, ({ bucket }) => bucket)].flatMap(([bucket, own]) =>
    chunk(own, { countMax: ROWS_PER_TRANSACTION_MAX }).map((part) => ({ bucket, part })),
  );
  await forEachBounded(work, BUCKETS_AT_ONCE_MAX, async ({ bucket, part }) => {
    const entityIds = part.map(({ entityId }) => entityId);
    const counts = await joinEntities({ regions: options.regions, bucket, entityIds });
    for (const [region, count] of counts) written.set(region, (written.get(region) ?? 0) + count);
    done += part.length;
    options.onProgress?.(done);
  });
  return written;
}

export interface JoinOptions {
  readonly regions: readonly RecoveryRegion[];
  readonly bucket: string;
  /** Holds at most 100. */
  readonly entityIds: readonly string[];
  /** What an archive has of them: joined as if it were one more region's rows. */
  readonly archived?: ReadonlyMap<string, StoredState>;
  /** The regions that are written to; all by default. */
  readonly into?: readonly string[];
}

const CONTENTION = { attemptsMax: 10, remedy: 'Repeat the command.' };
/** Below the rows and the 4 MiB of an entity group transaction: a row is larger than its text. */
const WRITE_BOUNDS = {
  countMax: ROWS_PER_TRANSACTION_MAX,
  weightMax: 1024 * 1024,
  weigh: ({ write }: JoinedRow): number => stateText(write.row.state).length,
};

/**
 * Writes the join of all regions' rows into each of them, under the rows' ETags: nothing newer is
 * overwritten, whatever is written meanwhile. What a region did not have goes to its archive first, and
 * what had not seen each other to its conflicts. Idempotent. Resolves with the rows written by region.
 */
export async function joinEntities(options: JoinOptions): Promise<ReadonlyMap<string, number>> {
  const { regions, bucket, entityIds, archived } = options;
  const { into = regions.map(({ region }) => region) } = options;
  const written = new Map<string, number>();
  let left = entityIds;
  if (left.length === 0) return written;
  return untilUncontended<ReadonlyMap<string, number>>(async () => {
    const rows = await readAll(regions, bucket, left);
    const found = [...rows].map(([region, readable]) => [region, readable.rows] as const);
    const read: StatesBySource = new Map<string, ReadonlyMap<string, StoredState>>(
      archived === undefined ? found : [...found, [ARCHIVED, archived]],
    );
    const contended = new Set<string>();
    for (const target of regions.filter(({ region }) => into.includes(region))) {
      const joined = left.flatMap((entityId) => joinInto(target, entityId, { rows, read }) ?? []);
      for (const part of chunk(joined, WRITE_BOUNDS)) {
        if (await writeJoined(target, bucket, part)) {
          written.set(target.region, (written.get(target.region) ?? 0) + part.length);
        } else {
          for (const { write } of part) contended.add(write.entityId);
        }
      }
    }
    left = [...contended];
    return left.length === 0 ? written : { contended: `Row ${left[0]} in bucket ${bucket}` };
  }, CONTENTION);
}

type RowsByRegion = ReadonlyMap<string, ReadableRows>;
/** The regions' rows, and what an archive has. */
type StatesBySource = ReadonlyMap<string, ReadonlyMap<string, StoredState>>;

/** No region has this name. */
const ARCHIVED = '~archived';

async function readAll(
  regions: readonly RecoveryRegion[],
  bucket: string,
  entityIds: readonly string[],
): Promise<RowsByRegion> {
  const read = regions.map(
    async ({ region, replica }) =>
      [region, await readReadable(replica, bucket, entityIds)] as const,
  );
  return new Map(await Promise.all(read));
}

interface JoinedRow {
  readonly write: RowWrite;
  readonly conflicts: readonly Conflict[];
}

/** Returns undefined when the region's row is the join already. */
function joinInto(
  target: RecoveryRegion,
  entityId: string,
  { rows, read }: { readonly rows: RowsByRegion; readonly read: StatesBySource },
): JoinedRow | undefined {
  const { entityKind } = target;
  const there = rows.get(target.region);
  // What nobody can read is not overwritten: an operator looks at it first, and sets it aside.
  if (there?.damaged.has(entityId) === true) return undefined;
  const own = there?.rows.get(entityId);
  const conflicts: Conflict[] = [];
  let row: StoredState | undefined = own;
  for (const [source, states] of read) {
    const other = source === target.region ? undefined : states.get(entityId);
    if (other === undefined) continue;
    const { state } = other;
    const incoming: StoredState = { state, referenceId: referenceFor(target, entityId, other) };
    if (row !== undefined && areConcurrent(row.state, state)) {
      conflicts.push(...findConflicts(row.state, { entityKind, entityId, state }));
    }
    row = fitRow(target.replica, row === undefined ? incoming : mergeRows(row, incoming));
  }
  if (row === undefined || isSameState(row.state, own?.state)) return undefined;
  return { write: { entityId, row, stored: own }, conflicts };
}

/** Returns the row's place in the archive of the region it goes to; none for what was written there. */
function referenceFor(
  target: RecoveryRegion,
  entityId: string,
  { state }: StoredState,
): string | undefined {
  const bucket = target.replica.bucketOf(entityId);
  const set = restoredSet({ entityKind: target.entityKind, bucket, entityId, state });
  return originOf(set) === target.region ? undefined : referenceIdOf(set, entityId);
}

/** False, and no row written, when someone else has written one of them meanwhile. */
async function writeJoined(
  { entityKind, archive, conflicts, replica }: RecoveryRegion,
  bucket: string,
  joined: readonly JoinedRow[],
): Promise<boolean> {
  // Before the rows: once they are joined, a repetition would see neither gap nor conflict.
  await archive.restore(
    joined.map(({ write: { entityId, row } }) =>
      restoredSet({ entityKind, bucket, entityId, state: row.state }),
    ),
  );
  const found = joined.flatMap((one) => one.conflicts);
  if (found.length > 0) await conflicts.record(found);
  const outcome = await replica.write(
    bucket,
    joined.map(({ write }) => write),
  );
  return outcome.kind === 'written';
}

export interface RestoredEntity {
  readonly entityKind: string;
  readonly bucket: string;
  readonly entityId: string;
  readonly state: EntityState;
}

/**
 * Returns a row's state as a change set of its own, under the stamp of its newest transaction: what an archive
 * keeps where the transactions themselves are lost.
 */
export function restoredSet({ entityKind, bucket, entityId, state }: RestoredEntity): ChangeSet {
  const stamp = newestStamp(state.vector);
  assert(stamp !== undefined, 'a state that exists contains a transaction');
  return { entityKind, bucket, stamp, changes: [{ entityId, operation: 'replace', state }] };
}

/**
 * Returns the join of two change sets of one stamp: every change of either, and of an entity that both have
 * the join of its states. Undefined when it would hold more changes than a set can.
 */
export function joinChangeSets(a: ChangeSet, b: ChangeSet): ChangeSet | undefined {
  const changes = new Map(a.changes.map((change) => [change.entityId, change]));
  for (const change of b.changes) {
    const own = changes.get(change.entityId);
    const state = own === undefined ? change.state : mergeStates(own.state, change.state);
    changes.set(change.entityId, { ...change, ...own, state });
  }
  if (changes.size > CHANGES_PER_SET_MAX) return undefined;
  const joined = { ...a, changes: [...changes.values()] };
  return b.whole === true ? { ...joined, whole: true } : joined;
}
