import { chunk } from '../concurrency/chunk.ts';
import { forEachBounded } from '../concurrency/for-each-bounded.ts';
import type { RecoveryRegion } from '../ports/recovery-region.ts';
import { fitRow, mergeRows, type StoredState } from '../replication/decide-apply.ts';
import { foldArchive } from './fold-archive.ts';
import { joinEntities } from './join-entities.ts';
import type { ReplayIntoOptions, ReplayProgress } from './replay-into.ts';
import { readReadable } from './read-readable.ts';
import { foldSpanOf } from './replay-span.ts';
import { isCollectable, isSameState } from './state-text.ts';

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
  /** Tombstones stamped before this time, in milliseconds, are not made again. */
  readonly horizonMs: number;
}

const BUCKETS_AT_ONCE_MAX = 4;
/** Entities of one bucket joined in memory before their rows are written. */
const ENTITIES_MAX = 5_000;
const BATCH_MAX = 100;

/**
 * Joins what an archive has into the live rows of a region, and where these change, into its archive and
 * into rows and archives of its peers: replaying any of the archives still gives the live table (I5), and
 * the regions stay equal (I2). May be interrupted and repeated. Throws `ARCHIVE_DAMAGED`.
 */
export async function replayInPlace(options: ReplayInPlaceOptions): Promise<ReplayProgress> {
  const { archive, source, target, span, signal } = options;
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
        for (const part of chunk([...states], { countMax: BATCH_MAX })) {
          signal?.throwIfAborted();
          advance('rowsWritten', await joinBatch(options, bucket, new Map(part)));
        }
      },
    });
    advance('bucketsDone', 1);
  });
  return progress;
}

/** Resolves with the rows written in the target. A row that nobody can read is left as it is. */
async function joinBatch(
  { target, peers, horizonMs }: ReplayInPlaceOptions,
  bucket: string,
  states: ReadonlyMap<string, StoredState>,
): Promise<number> {
  const { rows, damaged } = await readReadable(target.replica, bucket, [...states.keys()]);
  const changed = [...states].flatMap(([entityId, archived]) => {
    if (damaged.has(entityId)) return [];
    const row = rows.get(entityId);
    const isSame =
      row === undefined
        ? isCollectable(archived.state, horizonMs)
        : isSameState(row.state, fitRow(target.replica, mergeRows(row, archived)).state);
    return isSame ? [] : [entityId];
  });
  if (changed.length === 0) return 0;
  // The target last: interrupted before it, a repetition finds the same entities again.
  const regions = [...peers, target];
  const written = await joinEntities({ regions, bucket, entityIds: changed, archived: states });
  return written.get(target.region) ?? 0;
}
