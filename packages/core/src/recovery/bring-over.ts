import { batchesOf } from '../concurrency/bounded.ts';
import { archivePartitionOf, type Change } from '../model/change-set.ts';
import { latestHorizon } from '../model/horizons.ts';
import type { ArchiveRow, RecoveryRegion, ScannedRow } from '../ports/recovery-region.ts';
import { newestStamp } from '../state/version-vector.ts';
import { encodeChangeSet, plainBytesOf } from '../wire/change-set-bytes.ts';
import { type DamagedArchiveRow, mergeStatesInto } from './replay.ts';

export interface BringOverOptions {
  /** The space that a table moves from, and the one that it moves to, both of one region. */
  readonly from: RecoveryRegion;
  readonly to: RecoveryRegion;
  /** What the ids of the rows of the table begin with. */
  readonly tableId: string;
  /** Is waited for: who keeps what it is told keeps no more at once than it can. */
  readonly onProgress?: (progress: BroughtOver) => Promise<void>;
  readonly signal?: AbortSignal;
}

export interface BroughtOver {
  /** Rows of the old space that were looked at, tombstones included. */
  readonly rows: number;
  /** Counts those of which the new space did not hold all yet. */
  readonly written: number;
  /** Change sets that the archive of the new space was given. */
  readonly archived: number;
  /** Counts what of the work has ended, of `parts`: the archive and the rows of each old bucket are a part each. */
  readonly partsDone: number;
  readonly parts: number;
  /** Rows, and archive rows, that nobody can read: while there is one, the old space is not all in the new one. */
  readonly damaged: readonly DamagedArchiveRow[];
}

type Counted = 'rows' | 'written' | 'archived' | 'partsDone';

const ROWS_BOUNDS = { countMax: 100 };
const SETS_BOUNDS = {
  countMax: 100,
  weightMax: 1024 * 1024,
  weigh: ({ encoded }: ArchiveRow): number => plainBytesOf(encoded),
};

/**
 * Has the space that a table moves to hold all that its old one does in a region: what its archive has of the table, under the
 * buckets that this lies in there, then its rows, joined as changes are that come. So the new space alone is enough for a replay, and
 * the fold of its archive is what it shows (I5). To be called when nothing comes to the old space any more. Idempotent; may be interrupted.
 */
export async function bringOver(options: BringOverOptions): Promise<BroughtOver> {
  const { from, to, tableId, signal, onProgress } = options;
  const damaged: DamagedArchiveRow[] = [];
  const parts = 2 * from.buckets.length;
  let brought: BroughtOver = { rows: 0, written: 0, archived: 0, partsDone: 0, parts, damaged };
  const advance = async (more: Partial<Record<Counted, number>>): Promise<void> => {
    const { rows = 0, written = 0, archived = 0, partsDone = 0 } = more;
    brought = {
      rows: brought.rows + rows,
      written: brought.written + written,
      archived: brought.archived + archived,
      partsDone: brought.partsDone + partsDone,
      parts,
      damaged,
    };
    await onProgress?.(brought);
  };
  await raiseHorizon(options);
  for (const bucket of from.buckets) {
    for await (const batch of batchesOf(setsOver(options, bucket, damaged), SETS_BOUNDS)) {
      signal?.throwIfAborted();
      const there = await to.archive.put(batch);
      // Of one that is there already, as after an interruption, nothing may be missing.
      for (const { set } of there) await to.archive.restore(eachAlone(set.changes, set));
      await advance({ archived: batch.length - there.length });
    }
    await advance({ partsDone: 1 });
  }
  for (const bucket of from.buckets) {
    for await (const batch of batchesOf(from.rows.scan(bucket, tableId), ROWS_BOUNDS)) {
      signal?.throwIfAborted();
      const states = new Map(readable(batch, { bucket, damaged }));
      const written = await mergeStatesInto(to.replica, states, to.conflicts);
      await advance({ rows: states.size, written });
    }
    await advance({ partsDone: 1 });
  }
  return brought;
}

/** What was trimmed in the one archive is no more in the other. */
async function raiseHorizon({ from, to, tableId }: BringOverOptions): Promise<void> {
  const horizonMs = latestHorizon(await from.archive.horizons(from.entityKind));
  if (horizonMs !== undefined) await to.archive.raiseHorizon(to.entityKind, horizonMs, tableId);
}

/** Yields what the archive of a bucket has of the table, as change sets of the new space: one for each bucket that it lies in there. */
async function* setsOver(
  { from, to, tableId }: BringOverOptions,
  bucket: string,
  damaged: DamagedArchiveRow[],
): AsyncGenerator<ArchiveRow> {
  for await (const row of from.archive.scan({ entityKind: from.entityKind, bucket })) {
    if (row.kind === 'damaged') {
      damaged.push(row);
      continue;
    }
    const { kind: _, etag: __, rowCount: ___, ...own } = row;
    const changes = row.set.changes.filter(({ entityId }) => entityId.startsWith(tableId));
    const byBucket = Map.groupBy(changes, ({ entityId }) => to.replica.bucketOf(entityId));
    for (const [there, some] of byBucket) {
      const set = { ...row.set, entityKind: to.entityKind, bucket: there, changes: some };
      const encoded = encodeChangeSet(set);
      yield { ...own, partitionKey: archivePartitionOf(set), set, encoded, etag: undefined };
    }
  }
}

function eachAlone(changes: readonly Change[], set: ArchiveRow['set']): ArchiveRow['set'][] {
  const { entityKind, bucket } = set;
  return changes.map((change) => ({
    entityKind,
    bucket,
    stamp: newestStamp(change.state.vector) ?? set.stamp,
    changes: [change],
  }));
}

function* readable(
  batch: readonly ScannedRow[],
  { bucket, damaged }: { readonly bucket: string; readonly damaged: DamagedArchiveRow[] },
): Generator<[string, { state: Change['state']; referenceId: string | undefined }]> {
  for (const one of batch) {
    if (one.kind === 'row') {
      const { entityId, state, referenceId } = one.row;
      yield [entityId, { state, referenceId }];
    } else if (!one.isForeign) {
      damaged.push({ partitionKey: bucket, rowKey: one.rowKey, problem: one.problem });
    }
  }
}
