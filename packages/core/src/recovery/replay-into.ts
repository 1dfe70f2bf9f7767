import { forEachBounded } from '../concurrency/for-each-bounded.ts';
import type { ConflictJournal } from '../ports/conflict-journal.ts';
import type { ArchiveKeeper } from '../ports/recovery-region.ts';
import type { Replica } from '../ports/replica.ts';
import { type DamagedArchiveRow, foldArchive } from './fold-archive.ts';
import { mergeStatesInto } from './merge-states-into.ts';
import { foldSpanOf, type ReplaySpan } from './replay-span.ts';

export interface ReplayIntoOptions {
  readonly archive: Pick<ArchiveKeeper, 'scan'>;
  /** The region whose archive it is. */
  readonly region: string;
  readonly into: Replica;
  /** Of what is found in the rows and had not been seen; without it none is kept. */
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
