import { checkOwnClock } from '../arrival/claims.ts';
import {
  judgeChangeSet,
  judgeConflict,
  judgeFragment,
  type ReceivedSet,
  withoutChanges,
} from '../arrival/judge-change-set.ts';
import { isMessageFault } from '../arrival/refusal.ts';
import { TOMBSTONE_AGE_MS_MIN } from '../catalogue/decide-catalogue.ts';
import { chunk, forEachBounded } from '../concurrency/bounded.ts';
import { untilUncontended } from '../concurrency/retry.ts';
import { tableIdOf } from '../entity-kind/open-id.ts';
import { AppError, assertNever, TerminalError, TransientError } from '../errors.ts';
import { ROWS_PER_TRANSACTION_MAX } from '../limits/table-limits.ts';
import {
  type Change,
  type ChangeSet,
  type FragmentHead,
  originOf,
  referenceIdOf,
} from '../model/change-set.ts';
import { type Conflict, eraseConflict } from '../model/conflict.ts';
import type { Archive, ArchiveEntry } from '../ports/archive.ts';
import type { Clock } from '../ports/clock.ts';
import type { ConflictJournal } from '../ports/conflict-journal.ts';
import type { HorizonRecord } from '../ports/recovery-region.ts';
import type { Replica, RowWrite, StoredRow } from '../ports/replica.ts';
import type { TableStore } from '../ports/table-store.ts';
import { isAlive, type StoredState } from '../state/entity-state.ts';
import { newestStamp, type VersionVector } from '../state/version-vector.ts';
import type { HybridClock } from '../time/hybrid-clock.ts';
import { type Stamp, stampTimeMs } from '../time/stamp.ts';
import { plainBytesOf } from '../wire/change-set-bytes.ts';
import { decideApply, fitRow } from './decide-apply.ts';

export interface ApplierOptions {
  readonly region: string;
  /** Names this region, its peers and former ones: nobody else is believed to have written anything. */
  readonly regions: ReadonlySet<string>;
  /** Holds them by entity kind. */
  readonly replicas: ReadonlyMap<string, Replica>;
  readonly archive: Archive;
  readonly conflicts: ConflictJournal;
  readonly clock: Clock;
  readonly hybridClock: HybridClock;
  /** Tombstones older than this may have been collected. */
  readonly tombstoneAgeMs: number;
  /** Says, by the kind that holds tables of clients, until when those with an age of their own were collected. */
  readonly tombstones?: ReadonlyMap<string, Pick<HorizonRecord, 'read'>> | undefined;
  /** Is asked for its time before anything is refused as too old. */
  readonly store: Pick<TableStore, 'timeMs'>;
  /** Says how far the clock here may be ahead of the store's. */
  readonly driftMsMax: number;
  readonly onConflict?: (conflict: Conflict) => void;
}

/** Says by key: undefined when the set was applied, else why it can never be. */
type ApplyResults = ReadonlyMap<string, TerminalError | undefined>;

export interface Applier {
  /**
   * Judges received change sets, merges what is sound into the rows of this region, then archives it.
   * Idempotent, in any order. Throws transient errors only: then nothing is settled and all of it is to be repeated.
   * `onMerged` is called once the rows are written, before anything is archived.
   */
  apply(sets: readonly ReceivedSet[], onMerged?: () => void): Promise<ApplyResults>;
  /**
   * Keeps conflicts that a peer has found. Idempotent, in any order. Throws transient errors, and the
   * refusal of one that is not believed once all others are kept.
   */
  acceptConflicts(conflicts: readonly Conflict[]): Promise<void>;
  /** Returns why nothing is to be kept of the set that a fragment is of, or undefined. */
  judgeFragment(head: FragmentHead): TerminalError | undefined;
  /** Names the bucket that the entity of a conflict is of; of a kind that nobody here has, any. */
  bucketOf(conflict: Pick<Conflict, 'entityKind' | 'entityId'>): string;
}

const BUCKETS_AT_ONCE_MAX = 8;
/** Stays below the 4 MiB of an entity group transaction: a row is larger than its encoded change. */
const BYTES_PER_WRITE_MAX = 1024 * 1024;

export function createApplier(options: ApplierOptions): Applier {
  const { archive, hybridClock } = options;

  return {
    async apply(sets, onMerged) {
      const results = new Map<string, TerminalError | undefined>();
      const faults = new Map<string, TerminalError>();
      const known: (ReceivedSet & { replica: Replica })[] = [];
      for (const received of sets) {
        const { sound, refusal } = judgeChangeSet(received, options);
        if (sound === undefined) {
          results.set(received.key, refusal);
          continue;
        }
        hybridClock.observe(sound.set.stamp);
        known.push(sound);
        if (refusal !== undefined) faults.set(received.key, refusal);
      }
      const batches = [
        ...Map.groupBy(known, ({ set }) => `${set.entityKind}/${set.bucket}`).values(),
      ];
      await forEachBounded(batches, BUCKETS_AT_ONCE_MAX, async (batch) => {
        for (const part of chunk(batch.sort(byStamp), BATCH_BOUNDS)) {
          await applyPart(part, options, results);
        }
      });
      onMerged?.();
      try {
        await archive.append(known.flatMap((one) => toArchive(one, results.get(one.key))));
      } catch (error) {
        rethrowBlocked(error);
      }
      for (const [key, fault] of faults) results.set(key, results.get(key) ?? fault);
      return results;
    },

    async acceptConflicts(conflicts) {
      const accepted: Conflict[] = [];
      let refusal: TerminalError | undefined;
      for (const conflict of conflicts) {
        const { entityKind, entityId } = conflict;
        const replica = options.replicas.get(entityKind);
        const fault = judgeConflict(conflict, options);
        if (replica === undefined || fault !== undefined) refusal ??= fault;
        else {
          const isErased = await isForgotten(entityId, replica).catch(rethrowBlocked);
          accepted.push(isErased ? eraseConflict(conflict) : conflict);
        }
      }
      await options.conflicts.accept(accepted).catch(rethrowBlocked);
      if (refusal !== undefined) throw refusal;
    },

    judgeFragment: (head) => judgeFragment(head, options),

    bucketOf: ({ entityKind, entityId }) =>
      options.replicas.get(entityKind)?.bucketOf(entityId) ?? '00',
  };
}

/**
 * Tells whether the entity was forgotten here, so that its values must not come back with a conflict that was on
 * its way meanwhile. A forgetting leaves nulls that are newer than any life; an entity that had no values and was
 * deleted has nulls of that life, and its conflicts are as in every region.
 */
async function isForgotten(entityId: string, replica: Replica): Promise<boolean> {
  const rows = await replica.read(replica.bucketOf(entityId), [entityId]);
  const state = rows.get(entityId)?.state;
  if (state === undefined || isAlive(state)) return false;
  const { alive = '', base, fields } = state;
  // With the policy `row` a deletion leaves no field, and it is a forgetting that leaves nulls.
  if (base !== undefined && fields.size === 0) return false;
  return [...fields.values()].every(({ value, stamp }) => value === null && stamp > alive);
}

const BATCH_BOUNDS = {
  countMax: 1_000,
  weightMax: ROWS_PER_TRANSACTION_MAX,
  weigh: ({ set, encoded }: ReceivedSet): number =>
    Math.max(
      set.changes.length,
      (plainBytesOf(encoded) / BYTES_PER_WRITE_MAX) * ROWS_PER_TRANSACTION_MAX,
    ),
};

/** Sets of one bucket whose rows fit one transaction; on a terminal failure each on its own. */
async function applyPart(
  part: readonly (ReceivedSet & { replica: Replica })[],
  options: ApplyBatchOptions,
  results: Map<string, TerminalError | undefined>,
): Promise<void> {
  const [first] = part;
  if (first === undefined) return;
  try {
    const refused = await applyToBucket(
      part.map(({ set }) => set),
      first.replica,
      options,
    );
    for (const { key, set } of part) results.set(key, refusalOf(set, refused));
  } catch (error) {
    if (!(error instanceof AppError) || !isMessageFault(error)) rethrowBlocked(error);
    if (part.length === 1) {
      results.set(first.key, error instanceof TerminalError ? error : unexpected(error));
      return;
    }
    for (const one of part) await applyPart([one], options, results);
  }
}

/** Holds them by `<stamp>/<entity id>`. */
type RefusedChanges = ReadonlySet<string>;

function refusalOf(set: ChangeSet, refused: RefusedChanges): TerminalError | undefined {
  const ids = set.changes
    .map(({ entityId }) => entityId)
    .filter((entityId) => refused.has(`${set.stamp}/${entityId}`));
  if (ids.length === 0) return undefined;
  return new TerminalError(
    'CHANGE_TOO_OLD',
    `Older than every tombstone that is kept, for rows that are not here or were made since: ${ids.join(', ')}. ` +
      'Were it applied, it could revive what was deleted.',
    { details: { entityIds: ids } },
  );
}

/** Leaves out of the archive what was refused: replaying it must not do what applying did not. */
function toArchive(received: ReceivedSet, error: TerminalError | undefined): ArchiveEntry[] {
  if (error === undefined) return [received];
  if (error.code !== 'CHANGE_TOO_OLD') return [];
  const refused = new Set(error.details['entityIds'] as readonly string[]);
  return [withoutChanges(received, refused)].filter((left) => left !== undefined);
}

/** A refused key or a table that is gone is an outage: no message is to blame, so none may go. */
export function rethrowBlocked(error: unknown): never {
  if (!(error instanceof AppError) || error.retryable || isMessageFault(error)) throw error;
  throw new TransientError('TABLE_UNAVAILABLE', error.message, { cause: error });
}

function unexpected(error: AppError): TerminalError {
  return new TerminalError('ROW_MALFORMED', error.message, { cause: error });
}

function byStamp(a: ReceivedSet, b: ReceivedSet): number {
  return a.set.stamp < b.set.stamp ? -1 : 1;
}

export interface ApplyBatchOptions {
  /** Names this region: what it wrote itself has no reference into the archive. */
  readonly region: string;
  readonly conflicts: Pick<ConflictJournal, 'record'>;
  readonly clock: Clock;
  readonly tombstoneAgeMs: number;
  readonly tombstones?: ReadonlyMap<string, Pick<HorizonRecord, 'read'>> | undefined;
  readonly store: Pick<TableStore, 'timeMs'>;
  readonly driftMsMax: number;
  readonly onConflict?: (conflict: Conflict) => void;
}

const CONTENTION = { attemptsMax: 10 };

/**
 * Merges the sets of one bucket, which together touch at most 100 rows, into its rows in one
 * transaction. Returns the changes refused, as `<stamp>/<entity id>`. Throws `CLOCK_AHEAD` where any would be and the
 * clock here is not to be trusted with it: then nothing is written.
 */
export async function applyToBucket(
  sets: readonly ChangeSet[],
  replica: Replica,
  options: ApplyBatchOptions,
): Promise<ReadonlySet<string>> {
  const changes = sets.flatMap((set) => set.changes.map((change) => ({ set, change })));
  const byEntity = Map.groupBy(changes, ({ change }) => change.entityId);
  const byBucket = Map.groupBy(byEntity.keys(), (entityId) => replica.bucketOf(entityId));
  const refused = new Set<string>();
  // One bucket at the sender is one bucket here, or the set is refused before it comes here.
  for (const [bucket, entityIds] of byBucket) {
    await untilUncontended(async (attempt) => {
      const nowMs = options.clock.nowMs();
      const collected = await readCollected(sets, { replica, nowMs }, options);
      const fold = (entityId: string, stored: StoredRow | undefined, without: OldSets): Fold =>
        foldChanges(byEntity.get(entityId) ?? [], stored, {
          ...options,
          replica,
          without,
          nowMs,
          collectedBeforeMs: collected.get(tableIdOf(entityId)),
        });
      const folds = await foldWhole({ bucket, entityIds, byEntity, fold }, replica, attempt === 1);
      if (folds.some((one) => one.refused.length > 0)) await trustClock(nowMs, options);
      // Before the rows: once they are merged, a repetition would no longer see the conflict (I7).
      const conflicts = folds.flatMap((fold) => fold.conflicts);
      if (conflicts.length > 0) await options.conflicts.record(conflicts);
      const writes = folds.flatMap((fold) => fold.write ?? []);
      const outcome =
        writes.length === 0 ? { kind: 'written' as const } : await replica.write(bucket, writes);
      if (outcome.kind !== 'written') {
        return { contended: `Row ${outcome.entityId} of ${replica.entityKind}` };
      }
      for (const fold of folds) for (const key of fold.refused) refused.add(key);
      for (const conflict of conflicts) options.onConflict?.(conflict);
      return undefined;
    }, CONTENTION);
  }
  return refused;
}

/** No tombstone of a younger set goes: `TOMBSTONE_AGE_MS_MIN` less what clocks may differ. */
const YOUNG_MS = TOMBSTONE_AGE_MS_MIN / 2;
const NONE: ReadonlyMap<string, number> = new Map();

/**
 * Resolves with the times, by table, before which tombstones may be gone here. They are recorded before any goes, and
 * read after the sets have come; nobody is asked for sets that are too young. One that nobody can read keeps back the
 * old sets of its own table, of which it says what may come, and of no other.
 */
async function readCollected(
  sets: readonly ChangeSet[],
  { replica, nowMs }: { readonly replica: Replica; readonly nowMs: number },
  { tombstones }: Pick<ApplyBatchOptions, 'tombstones'>,
): Promise<ReadonlyMap<string, number>> {
  const horizons = tombstones?.get(replica.entityKind);
  if (horizons === undefined) return NONE;
  const old = sets
    .flatMap(({ changes }) => changes)
    .filter(({ state }) => newestMs(state.vector) < nowMs - YOUNG_MS);
  if (old.length === 0) return NONE;
  return (await horizons.read(new Set(old.map(({ entityId }) => tableIdOf(entityId))))).tables;
}

function newestMs(vector: VersionVector): number {
  const newest = newestStamp(vector);
  return newest === undefined ? 0 : stampTimeMs(newest);
}

/** Throws `CLOCK_AHEAD` unless the clock was right at `judgedMs`, as far as the store can tell. */
async function trustClock(
  judgedMs: number,
  { clock, store, driftMsMax }: ApplyBatchOptions,
): Promise<void> {
  const storeMs = await store.timeMs();
  // By the later of two readings: the clock may have been set right since, or the answer have taken its time.
  checkOwnClock({ nowMs: Math.max(judgedMs, clock.nowMs()), driftMsMax }, storeMs);
}

type ChangesOfEntity = readonly { readonly set: ChangeSet; readonly change: Change }[];

/** Holds the stamps of `whole` sets of which one change is refused, so that all of them are. */
type OldSets = ReadonlySet<Stamp>;

interface Bucketful {
  readonly bucket: string;
  readonly entityIds: readonly string[];
  readonly byEntity: ReadonlyMap<string, ChangesOfEntity>;
  readonly fold: (entityId: string, stored: StoredRow | undefined, without: OldSets) => Fold;
}

/**
 * Folds until no `whole` set is folded of which a change is refused. Without it another change may be refused, of
 * an entity that only it made be there, so it is looked again; each look leaves out one set more, or is the last.
 */
async function foldWhole(
  bucketful: Bucketful,
  replica: Replica,
  mayGuess: boolean,
): Promise<readonly Fold[]> {
  const without = new Set<Stamp>();
  for (;;) {
    const folds = await foldAll({ ...bucketful, without }, replica, mayGuess);
    const torn = folds.flatMap(({ tears }) => tears).filter((stamp) => !without.has(stamp));
    if (torn.length === 0) return folds;
    for (const stamp of torn) without.add(stamp);
  }
}

/**
 * Folds the changes of each entity into its row, which is read unless it is remembered, or as good
 * as certainly not there. On such a guess only a plain write is built: its ETag guards it, and
 * anything else (a conflict, a duplicate) is decided on what the store says.
 */
async function foldAll(
  { bucket, entityIds, byEntity, fold, without }: Bucketful & { readonly without: OldSets },
  replica: Replica,
  mayGuess: boolean,
): Promise<Fold[]> {
  const unread: string[] = [];
  const folds: Fold[] = [];
  for (const entityId of entityIds) {
    const remembered = mayGuess ? replica.recall(entityId) : undefined;
    const isGuess = mayGuess && (remembered !== undefined || isFirst(byEntity.get(entityId)));
    const guessed = isGuess ? fold(entityId, remembered, without) : undefined;
    if (guessed?.isPlain === true) folds.push(guessed);
    else unread.push(entityId);
  }
  if (unread.length === 0) return folds;
  const rows = await replica.read(bucket, unread);
  return [...folds, ...unread.map((entityId) => fold(entityId, rows.get(entityId), without))];
}

/** Says whether it is the first change that there ever was of the entity, so most likely there is no row. */
function isFirst(changes: ChangesOfEntity | undefined): boolean {
  const change = changes?.[0]?.change;
  return (
    change?.operation === 'create' &&
    change.state.deleted === undefined &&
    change.state.vector.size === 1
  );
}

interface Fold {
  readonly write: RowWrite | undefined;
  /** Every change simply replaces what was there. */
  readonly isPlain: boolean;
  readonly conflicts: readonly Conflict[];
  readonly refused: readonly string[];
  /** Names the `whole` sets of which a change is refused. */
  readonly tears: readonly Stamp[];
}

/** Folds several changes of one entity into one write of its row. */
function foldChanges(
  changes: ChangesOfEntity,
  stored: StoredRow | undefined,
  options: Pick<ApplyBatchOptions, 'region' | 'tombstoneAgeMs'> & {
    readonly replica: Pick<Replica, 'entityKind' | 'fit'>;
    readonly without: OldSets;
    readonly nowMs: number;
    readonly collectedBeforeMs: number | undefined;
  },
): Fold {
  const conflicts: Conflict[] = [];
  const refused: string[] = [];
  const tears: Stamp[] = [];
  let row: StoredState | undefined = stored;
  let entityId = '';
  let isPlain = true;
  for (const { set, change } of changes) {
    ({ entityId } = change);
    if (options.without.has(set.stamp)) {
      refused.push(`${set.stamp}/${entityId}`);
      continue;
    }
    const decision = decideApply(
      {
        entityKind: options.replica.entityKind,
        entityId,
        state: change.state,
        stamp: set.stamp,
        referenceId: originOf(set) === options.region ? undefined : referenceIdOf(set, entityId),
      },
      {
        stored: row,
        nowMs: options.nowMs,
        tombstoneAgeMs: options.tombstoneAgeMs,
        collectedBeforeMs: options.collectedBeforeMs,
      },
    );
    isPlain &&= decision.kind === 'write';
    switch (decision.kind) {
      case 'skip':
        break;
      case 'write':
        row = fitRow(options.replica, decision.row);
        break;
      case 'merge':
        row = fitRow(options.replica, decision.row);
        conflicts.push(...decision.conflicts);
        break;
      case 'refuse':
        refused.push(`${set.stamp}/${entityId}`);
        if (set.whole === true) tears.push(set.stamp);
        break;
      default:
        assertNever(decision);
    }
  }
  const isChanged = row !== undefined && row !== stored;
  const write = isChanged && row !== undefined ? { entityId, row, stored } : undefined;
  return { write, isPlain, conflicts, refused, tears };
}
