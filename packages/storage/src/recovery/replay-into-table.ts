import {
  type EntityKind,
  replayInto,
  type ReplayIntoOptions,
  type ReplayProgress,
  type TableStore,
} from '@tandem/core';
import { ARCHIVE_TABLE } from '../archive/table-archive.ts';
import { CONFIGURATION_TABLE } from '../configuration/configuration-table.ts';
import { CONFLICTS_TABLE } from '../conflicts/table-conflict-journal.ts';
import { createRowMemory } from '../replica/row-memory.ts';
import { createTableReplica } from '../replica/table-replica.ts';
import { REPLICATION_TABLE } from '../status/table-replication-status.ts';
import { openReplayTable, writeReplayRecord } from './replay-record.ts';

export interface ReplayIntoTableOptions
  extends Pick<
    ReplayIntoOptions,
    'archive' | 'buckets' | 'span' | 'onDamaged' | 'onProgress' | 'signal'
  > {
  /** The region whose archive it is. */
  readonly source: string;
  /** Where the table is made. */
  readonly target: {
    readonly name: string;
    readonly store: TableStore;
    readonly kind: EntityKind;
    readonly bucketCount: number;
  };
  readonly table: string;
}

/** Nothing here is written from memory. */
const LITTLE = { bytesMax: 1024 * 1024 };

/**
 * Replays an archive into a table of its own, and goes on with the buckets that are left where the same
 * replay was interrupted. Throws `TABLE_FOREIGN` and `ARCHIVE_DAMAGED`.
 */
export async function replayIntoTable(options: ReplayIntoTableOptions): Promise<ReplayProgress> {
  const { source, target, table, span, buckets, ...rest } = options;
  const { name, store, kind, bucketCount } = target;
  const ownTables = [
    kind.name,
    ARCHIVE_TABLE,
    CONFLICTS_TABLE,
    CONFIGURATION_TABLE,
    REPLICATION_TABLE,
  ];
  const content = JSON.stringify({ from: source, ...span, buckets });
  const record = await openReplayTable(store, table, { content, ownTables });
  const bucketsDone = [...record.bucketsDone];
  return replayInto({
    ...rest,
    region: name,
    into: createTableReplica({ store, kind, bucketCount, table, memory: createRowMemory(LITTLE) }),
    buckets: buckets.filter((bucket) => !bucketsDone.includes(bucket)),
    span,
    async onBucketDone(bucket) {
      bucketsDone.push(bucket);
      await writeReplayRecord(store, table, { content, bucketsDone });
    },
  });
}
