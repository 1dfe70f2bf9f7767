import { chunk, forEachBounded } from '../concurrency/bounded.ts';
import { untilUncontended } from '../concurrency/retry.ts';
import { tableIdOf } from '../entity-kind/open-id.ts';
import { TerminalError } from '../errors.ts';
import { fitRow, mergeRows } from '../inbound/decide-apply.ts';
import { ROWS_PER_TRANSACTION_MAX } from '../limits/table-limits.ts';
import { type ChangeSet, originOf, referenceIdOf } from '../model/change-set.ts';
import { areConcurrent, type Conflict, findConflicts } from '../model/conflict.ts';
import type { Horizons } from '../model/horizons.ts';
import type { ArchiveSpan } from '../ports/archive.ts';
import type { ConflictJournal } from '../ports/conflict-journal.ts';
import type { ArchiveKeeper, RecoveryRegion } from '../ports/recovery-region.ts';
import type { Replica, RowWrite } from '../ports/replica.ts';
import { mayBeGone, readTombstones } from '../retention/retention-horizon.ts';
import type { StoredState } from '../state/entity-state.ts';
import { isSameState, readReadable, stateText } from './difference.ts';
import { joinEntities } from './repair-regions.ts';

export interface ReplaySpan {
  /** Only of this entity. */
  readonly entityId?: string;
  /** Only of entities whose ids begin with it: those of a table of clients, or of one PartitionKey of it. */
  readonly idPrefix?: string;
  /** What was stamped from this time on, in milliseconds. */
  readonly fromMs?: number;
  /** What was stamped before this time, in milliseconds. */
  readonly beforeMs?: number;
}

/** Returns what of one bucket's archive a replay folds. */
export function foldSpanOf(
  { entityId, idPrefix, fromMs, beforeMs }: ReplaySpan,
  bucket: Pick<ArchiveSpan, 'entityKind' | 'bucket'>,
): Pick<FoldOptions, 'span' | 'entityId' | 'idPrefix'> {
  return {
    span: {
      ...bucket,
      ...(fromMs === undefined ? {} : { fromMs }),
      ...(beforeMs === undefined ? {} : { beforeMs }),
    },
    ...(entityId === undefined ? {} : { entityId }),
    ...(idPrefix === undefined ? {} : { idPrefix }),
  };
}

export interface DamagedArchiveRow {
  readonly partitionKey: string;
  readonly rowKey: string;
  readonly problem: string;
}

export interface FoldOptions {
  readonly archive: Pick<ArchiveKeeper, 'scan' | 'horizonMs'>;
  readonly span: ArchiveSpan;
  /** The region whose archive it is. */
  readonly region: string;
  /** Only of this entity. */
  readonly entityId?: string;
  /** Only of entities whose ids begin with it. */
  readonly idPrefix?: string;
  /** Entities held in memory before they are given away. */
  readonly entitiesMax: number;
  /** Joined states, each entity once a call; an entity may come again in a later call. */
  readonly onStates: (states: ReadonlyMap<string, StoredState>) => Promise<void>;
  /** Without it a damaged row is an error. */
  readonly onDamaged?: (row: DamagedArchiveRow) => void;
  readonly onSet?: (set: ChangeSet) => void;
}

/**
 * Joins the archived states of each entity, so that rows are written once and not once for each of
 * their changes. Memory is bounded by `entitiesMax`. Throws `ARCHIVE_DAMAGED`, naming the row, and
 * `RECOVERY_REFUSED` for a time to which the archive does not go back.
 */
export async function foldArchive(options: FoldOptions): Promise<void> {
  const { archive, span, region, entityId, idPrefix = '', entitiesMax, onStates } = options;
  let states = new Map<string, StoredState>();
  await refuseTrimmed(options);
  for await (const row of archive.scan(span)) {
    if (row.kind === 'damaged') {
      if (options.onDamaged === undefined) throw damaged(row);
      options.onDamaged(row);
      continue;
    }
    options.onSet?.(row.set);
    for (const change of row.set.changes) {
      if (entityId !== undefined && change.entityId !== entityId) continue;
      if (!change.entityId.startsWith(idPrefix)) continue;
      const isOwn = originOf(row.set) === region;
      const referenceId = isOwn ? undefined : referenceIdOf(row.set, change.entityId);
      const known = states.get(change.entityId);
      const found = { state: change.state, referenceId };
      states.set(change.entityId, known === undefined ? found : mergeRows(known, found));
    }
    if (states.size >= entitiesMax) {
      const full = states;
      states = new Map();
      await onStates(full);
    }
  }
  // Whoever looks only has no lease, and the archive may have been trimmed while it was read.
  await refuseTrimmed(options);
  if (states.size > 0) await onStates(states);
}

async function refuseTrimmed(options: FoldOptions): Promise<void> {
  const { archive, span, region } = options;
  const { beforeMs, entityKind } = span;
  if (beforeMs === undefined) return;
  const horizonMs = await archive.horizonMs(entityKind, tableNamedIn(options));
  if (horizonMs === undefined || beforeMs >= horizonMs) return;
  const [start, wanted] = [horizonMs, beforeMs].map((timeMs) => new Date(timeMs).toISOString());
  throw new TerminalError(
    'RECOVERY_REFUSED',
    `The archive of ${region} goes back to ${start}: what was before has been trimmed, so it cannot tell how ` +
      `${entityKind} was at ${wanted}. Choose a later time, or the archive of a region that goes back further.`,
    { details: { horizonMs } },
  );
}

/** Returns which table of clients a replay is of, by its id; undefined where it is of all that there is of the kind. */
function tableNamedIn({ entityId, idPrefix }: ReplaySpan): string | undefined {
  const named = entityId ?? idPrefix;
  return named === undefined ? undefined : tableIdOf(named);
}

function damaged({ partitionKey, rowKey, problem }: DamagedArchiveRow): TerminalError {
  return new TerminalError(
    'ARCHIVE_DAMAGED',
    `The archive row ${partitionKey}/${rowKey} cannot be read: ${problem} Nothing after it was ` +
      'replayed. Copy the row from the archive of another region, or leave such rows out and say so.',
    { details: { partitionKey, rowKey } },
  );
}

export interface ReplayIntoOptions {
  readonly archive: Pick<ArchiveKeeper, 'scan' | 'horizonMs'>;
  /** The region whose archive it is. */
  readonly region: string;
  readonly into: Replica;
  /** Keeps the conflicts of what is found in the rows and had not been seen; without it none is kept. */
  readonly conflicts?: Pick<ConflictJournal, 'record'>;
  readonly buckets: readonly string[];
  readonly span: ReplaySpan;
  /** Leaves out what cannot be read, and tells of it; an error without. */
  readonly onDamaged?: (row: DamagedArchiveRow) => void;
  readonly onProgress?: (progress: ReplayProgress) => void;
  /** A bucket that is done need not be replayed again. */
  readonly onBucketDone?: (bucket: string) => Promise<void>;
  readonly signal?: AbortSignal;
}

export interface ReplayProgress {
  readonly changeSets: number;
  readonly rowsWritten: number;
  readonly bucketsDone: number;
}

const BUCKETS_AT_ONCE_MAX = 4;
/** Entities of one bucket joined in memory before their rows are written. */
const ENTITIES_MAX = 5_000;

/**
 * Rebuilds rows from an archive by joining them into whatever is there, so it may be interrupted and
 * repeated, and never overwrites what is newer. Throws `ARCHIVE_DAMAGED`.
 */
export async function replayInto(options: ReplayIntoOptions): Promise<ReplayProgress> {
  const { archive, region, into, span, signal } = options;
  let progress: ReplayProgress = { changeSets: 0, rowsWritten: 0, bucketsDone: 0 };
  const advance = (more: Partial<ReplayProgress>): void => {
    progress = {
      changeSets: progress.changeSets + (more.changeSets ?? 0),
      rowsWritten: progress.rowsWritten + (more.rowsWritten ?? 0),
      bucketsDone: progress.bucketsDone + (more.bucketsDone ?? 0),
    };
    options.onProgress?.(progress);
  };
  await forEachBounded(options.buckets, BUCKETS_AT_ONCE_MAX, async (bucket) => {
    await foldArchive({
      archive,
      region,
      ...foldSpanOf(span, { entityKind: into.entityKind, bucket }),
      ...(options.onDamaged === undefined ? {} : { onDamaged: options.onDamaged }),
      entitiesMax: ENTITIES_MAX,
      onSet() {
        signal?.throwIfAborted();
        advance({ changeSets: 1 });
      },
      async onStates(states) {
        advance({ rowsWritten: await mergeStatesInto(into, states, options.conflicts) });
      },
    });
    await options.onBucketDone?.(bucket);
    advance({ bucketsDone: 1 });
  });
  return progress;
}

export interface ReplayInPlaceOptions
  extends Pick<
    ReplayIntoOptions,
    'archive' | 'buckets' | 'span' | 'onDamaged' | 'onProgress' | 'signal'
  > {
  /** The region whose archive it is. */
  readonly source: string;
  readonly target: RecoveryRegion;
  /** They are given what the target did not have, too: nobody else would send it to them. */
  readonly peers: readonly RecoveryRegion[];
  /**
   * Tombstones stamped before this time, in milliseconds, are not made again; those of tables with an age of their own
   * as the regions have collected them.
   */
  readonly horizonMs: number;
}

/**
 * Joins what an archive has into the live rows of a region, and where these change, into its archive and
 * into rows and archives of its peers: replaying any of the archives still gives the live table (I5), and
 * the regions stay equal (I2). May be interrupted and repeated. Throws `ARCHIVE_DAMAGED`.
 */
export async function replayInPlace(options: ReplayInPlaceOptions): Promise<ReplayProgress> {
  const { archive, source, target, span, signal } = options;
  const tombstones = await readTombstones([target, ...options.peers], options.horizonMs);
  let progress: ReplayProgress = { changeSets: 0, rowsWritten: 0, bucketsDone: 0 };
  const advance = (name: keyof ReplayProgress, count: number): void => {
    progress = { ...progress, [name]: progress[name] + count };
    options.onProgress?.(progress);
  };
  await forEachBounded(options.buckets, BUCKETS_AT_ONCE_MAX, async (bucket) => {
    await foldArchive({
      archive,
      region: source,
      ...foldSpanOf(span, { entityKind: target.entityKind, bucket }),
      ...(options.onDamaged === undefined ? {} : { onDamaged: options.onDamaged }),
      entitiesMax: ENTITIES_MAX,
      onSet() {
        signal?.throwIfAborted();
        advance('changeSets', 1);
      },
      async onStates(states) {
        for (const part of chunk([...states], { countMax: ROWS_PER_TRANSACTION_MAX })) {
          signal?.throwIfAborted();
          advance('rowsWritten', await joinBatch(options, { bucket, tombstones }, new Map(part)));
        }
      },
    });
    advance('bucketsDone', 1);
  });
  return progress;
}

/** Resolves with the rows written in the target. A row that nobody can read is left as it is. */
async function joinBatch(
  { target, peers }: ReplayInPlaceOptions,
  { bucket, tombstones }: { readonly bucket: string; readonly tombstones: Horizons },
  states: ReadonlyMap<string, StoredState>,
): Promise<number> {
  const { rows, damaged } = await readReadable(target.replica, bucket, [...states.keys()]);
  const changed = [...states].flatMap(([entityId, archived]) => {
    if (damaged.has(entityId)) return [];
    const row = rows.get(entityId);
    const isSame =
      row === undefined
        ? mayBeGone(entityId, archived.state, tombstones)
        : isSameState(row.state, fitRow(target.replica, mergeRows(row, archived)).state);
    return isSame ? [] : [entityId];
  });
  if (changed.length === 0) return 0;
  // The target last: interrupted before it, a repetition finds the same entities again.
  const regions = [...peers, target];
  const written = await joinEntities({ regions, bucket, entityIds: changed, archived: states });
  return written.get(target.region) ?? 0;
}

const CONTENTION = { attemptsMax: 10, remedy: 'Repeat the command.' };
const BYTES_MAX = 1024 * 1024;

/**
 * Joins the states into the rows of a replica, under their ETags: nothing newer is overwritten.
 * What rows and states lose to each other goes to the journal, if there is one. Idempotent. Resolves with the
 * number of rows written.
 */
export async function mergeStatesInto(
  replica: Replica,
  states: ReadonlyMap<string, StoredState>,
  conflicts?: Pick<ConflictJournal, 'record'>,
): Promise<number> {
  let written = 0;
  const byBucket = Map.groupBy(states, ([entityId]) => replica.bucketOf(entityId));
  for (const [bucket, own] of byBucket) {
    const bounds = {
      countMax: ROWS_PER_TRANSACTION_MAX,
      weightMax: BYTES_MAX,
      weigh: ([, { state }]: [string, StoredState]): number => stateText(state).length,
    };
    for (const part of chunk(own, bounds)) {
      written += await mergePart({ replica, bucket, conflicts }, part);
    }
  }
  return written;
}

interface MergeInto {
  readonly replica: Replica;
  readonly bucket: string;
  readonly conflicts: Pick<ConflictJournal, 'record'> | undefined;
}

async function mergePart(
  { replica, bucket, conflicts }: MergeInto,
  part: readonly (readonly [string, StoredState])[],
): Promise<number> {
  return untilUncontended<number>(async () => {
    const ids = part.map(([entityId]) => entityId);
    const { rows, damaged } = await readReadable(replica, bucket, ids);
    const writes = part.flatMap(([entityId, found]): RowWrite[] => {
      if (damaged.has(entityId)) return [];
      const stored = rows.get(entityId);
      const row = fitRow(replica, stored === undefined ? found : mergeRows(stored, found));
      const isThere = stored !== undefined && isSameState(stored.state, row.state);
      return isThere ? [] : [{ entityId, row, stored }];
    });
    if (writes.length === 0) return 0;
    const { entityKind } = replica;
    const found = part.flatMap(([entityId, { state }]): readonly Conflict[] => {
      const stored = rows.get(entityId)?.state;
      if (stored === undefined || !areConcurrent(stored, state)) return [];
      return findConflicts(stored, { entityKind, entityId, state });
    });
    // Before the rows: once they are merged, a repetition would no longer see it.
    if (found.length > 0) await conflicts?.record(found);
    const outcome = await replica.write(bucket, writes);
    return outcome.kind === 'written'
      ? writes.length
      : { contended: `Row ${outcome.entityId} in bucket ${bucket}` };
  }, CONTENTION);
}
