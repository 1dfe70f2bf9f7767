import {
  judgeChangeSet,
  judgeConflict,
  type ReceivedSet,
  withoutChanges,
} from '../arrival/judge-change-set.ts';
import { isMessageFault } from '../arrival/refusal.ts';
import { chunk } from '../concurrency/chunk.ts';
import { forEachBounded } from '../concurrency/for-each-bounded.ts';
import { AppError, TerminalError, TransientError } from '../errors.ts';
import type { ChangeSet } from '../model/change-set.ts';
import { type Conflict, eraseConflict } from '../model/conflict.ts';
import type { Archive, ArchiveEntry } from '../ports/archive.ts';
import type { Clock } from '../ports/clock.ts';
import type { ConflictJournal } from '../ports/conflict-journal.ts';
import type { Replica } from '../ports/replica.ts';
import { isAlive } from '../state/entity-state.ts';
import type { HybridClock } from '../time/hybrid-clock.ts';
import { plainBytesOf } from '../wire/deflate-change-set.ts';
import { type ApplyBatchOptions, applyToBucket } from './apply-to-bucket.ts';

export interface ApplierOptions {
  readonly region: string;
  /** This region, its peers and former ones: nobody else is believed to have written anything. */
  readonly regions: ReadonlySet<string>;
  /** By entity kind. */
  readonly replicas: ReadonlyMap<string, Replica>;
  readonly archive: Archive;
  readonly conflicts: ConflictJournal;
  readonly clock: Clock;
  readonly hybridClock: HybridClock;
  /** Tombstones older than this may have been collected. */
  readonly tombstoneAgeMs: number;
  readonly onConflict?: (conflict: Conflict) => void;
}

/** By key: undefined when the set was applied, else why it can never be. */
export type ApplyResults = ReadonlyMap<string, TerminalError | undefined>;

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
}

const BUCKETS_AT_ONCE_MAX = 8;
const ROWS_PER_WRITE_MAX = 100;
/** Below the 4 MiB of an entity group transaction: a row is larger than its encoded change. */
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
  const { alive = '' } = state;
  return [...state.fields.values()].every(({ value, stamp }) => value === null && stamp > alive);
}

const BATCH_BOUNDS = {
  countMax: 1_000,
  weightMax: ROWS_PER_WRITE_MAX,
  weigh: ({ set, encoded }: ReceivedSet): number =>
    Math.max(
      set.changes.length,
      (plainBytesOf(encoded) / BYTES_PER_WRITE_MAX) * ROWS_PER_WRITE_MAX,
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

/** Keyed by `<stamp>/<entity id>`. */
export type RefusedChanges = ReadonlySet<string>;

function refusalOf(set: ChangeSet, refused: RefusedChanges): TerminalError | undefined {
  const ids = set.changes
    .map(({ entityId }) => entityId)
    .filter((entityId) => refused.has(`${set.stamp}/${entityId}`));
  if (ids.length === 0) return undefined;
  return new TerminalError(
    'CHANGE_TOO_OLD',
    `Older than every tombstone that is kept, for rows that are not here: ${ids.join(', ')}. ` +
      'Were it applied, it could revive what was deleted.',
    { details: { entityIds: ids } },
  );
}

/** What was refused is left out of the archive: replaying it must not do what applying did not. */
function toArchive(received: ReceivedSet, error: TerminalError | undefined): ArchiveEntry[] {
  if (error === undefined) return [received];
  if (error.code !== 'CHANGE_TOO_OLD') return [];
  const refused = new Set(error.details['entityIds'] as readonly string[]);
  return [withoutChanges(received, refused)].filter((left) => left !== undefined);
}

/** A refused key or a table that is gone is an outage: no message is to blame, so none may go. */
function rethrowBlocked(error: unknown): never {
  if (!(error instanceof AppError) || error.retryable || isMessageFault(error)) throw error;
  throw new TransientError('TABLE_UNAVAILABLE', error.message, { cause: error });
}

function unexpected(error: AppError): TerminalError {
  return new TerminalError('ROW_MALFORMED', error.message, { cause: error });
}

function byStamp(a: ReceivedSet, b: ReceivedSet): number {
  return a.set.stamp < b.set.stamp ? -1 : 1;
}
