import {
  applyToBucket,
  type Archive,
  type ChangeSet,
  type ConflictJournal,
  forEachBounded,
  type Replica,
} from '@tandem/core';

export interface ReplayOptions {
  readonly archive: Archive;
  readonly buckets: readonly string[];
  /** Where the rows go. They are merged into what is there, so nothing newer is overwritten. */
  readonly into: Replica;
  /** The region whose archive it is. */
  readonly region: string;
  /** Replays what was stamped before this time, in milliseconds; everything when undefined. */
  readonly beforeMs?: number;
  readonly onProgress?: (progress: { readonly changeSets: number }) => void;
}

const BUCKETS_AT_ONCE_MAX = 4;
const ROWS_PER_WRITE_MAX = 100;

// The conflicts were recorded when the changes were first applied.
const NO_JOURNAL: ConflictJournal = {
  record: () => Promise.resolve(),
  scan: async function* () {},
  list: () => Promise.resolve([]),
};

/** Rebuilds rows from the archive. Idempotent; resolves with the number of change sets read. */
export async function replayArchive(options: ReplayOptions): Promise<number> {
  const { archive, into, region, beforeMs } = options;
  let changeSets = 0;

  const write = async (sets: readonly ChangeSet[]): Promise<void> => {
    await applyToBucket(sets, into, {
      region,
      conflicts: NO_JOURNAL,
      clock: { nowMs: () => 0, sleep: () => Promise.resolve() },
      // An archive holds no change that was refused, so age refuses nothing here.
      tombstoneAgeMs: Number.POSITIVE_INFINITY,
    });
    changeSets += sets.length;
    options.onProgress?.({ changeSets });
  };

  await forEachBounded(options.buckets, BUCKETS_AT_ONCE_MAX, async (bucket) => {
    const span = { entityKind: into.entityKind, bucket };
    let waiting: ChangeSet[] = [];
    let rows = 0;
    for await (const set of archive.read(beforeMs === undefined ? span : { ...span, beforeMs })) {
      if (rows + set.changes.length > ROWS_PER_WRITE_MAX) {
        await write(waiting);
        waiting = [];
        rows = 0;
      }
      waiting.push(set);
      rows += set.changes.length;
    }
    if (waiting.length > 0) await write(waiting);
  });
  return changeSets;
}
