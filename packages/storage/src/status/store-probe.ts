import { archivePartitionOf, type ProbedSet, type TableStore } from '@tandem/core';
import { ARCHIVE_TABLE } from '../tables/table-archive.ts';
import { CONFLICTS_TABLE } from '../tables/table-conflict-journal.ts';
import { FRAGMENTS_PARTITION } from '../tables/table-fragments.ts';
import { REPLICATION_TABLE } from './status-row.ts';

/** Nothing has this key, so nothing is written: the store has to look for it as for any other row. */
const NO_ROW = '~probe';

/**
 * Asks every table that a change set is written to, in the partitions that it goes to, for a row and for a write
 * about nothing: applying reads as well, and a store may answer the one and not the other. Resolves when all of them
 * answer; throws what the store throws.
 */
export function createStoreProbe({
  store,
}: {
  readonly store: Pick<TableStore, 'get' | 'commit'>;
}): (set: ProbedSet) => Promise<void> {
  return async (set) => {
    const { entityKind, bucket, isFragment = false } = set;
    const places = [
      [entityKind, bucket],
      [ARCHIVE_TABLE, archivePartitionOf(set)],
      [CONFLICTS_TABLE, `${entityKind}-${bucket}`],
      ...(isFragment ? [[REPLICATION_TABLE, FRAGMENTS_PARTITION] as const] : []),
    ] as const;
    for (const [table, partitionKey] of places) {
      await store.get(table, partitionKey, NO_ROW);
      await store.commit({ table, partitionKey, operations: [{ kind: 'delete', rowKey: NO_ROW }] });
    }
  };
}
