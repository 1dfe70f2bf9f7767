import { AppError, type Clock, type EntityKind, type TableStore } from '@tandem/core';
import {
  ARCHIVE_TABLE,
  CONFLICTS_TABLE,
  createTableRegionHold,
  isBucketCountRecorded,
  REPLICATION_TABLE,
} from '@tandem/storage';

export interface HoldLostTablesOptions {
  readonly store: TableStore;
  readonly kinds: readonly EntityKind[];
  readonly clock: Pick<Clock, 'nowMs'>;
}

/**
 * Holds the region when a table is gone that it had. Of the rows made anew the table is empty, and the queue,
 * drained by then, would say that the region has caught up (I14); of the archive a replay would no longer
 * give the rows (I5); and the table `Replication` may have held a hold. To be called before tables are made.
 */
export async function holdLostTables(options: HoldLostTablesOptions): Promise<void> {
  const { store, kinds, clock } = options;
  const lost = new Set<string>();
  for (const kind of kinds) {
    if (!(await isBucketCountRecorded(store, kind))) continue;
    for (const table of [kind.name, ARCHIVE_TABLE, CONFLICTS_TABLE, REPLICATION_TABLE]) {
      if (!(await isThere(store, table))) lost.add(table);
    }
  }
  if (lost.size === 0) return;
  await store.createTable(REPLICATION_TABLE);
  const which = lost.size === 1 ? 'table' : 'tables';
  const reason = `Lost ${which}: ${[...lost].join(', ')}. Run: tandem rebuild-region`;
  await createTableRegionHold({ store }).set({ reason, sinceMs: clock.nowMs() });
}

async function isThere(store: TableStore, table: string): Promise<boolean> {
  try {
    await store.query({ table, partitions: '00', limit: 1 });
    return true;
  } catch (error) {
    if (error instanceof AppError && error.code === 'TABLE_MISSING') return false;
    throw error;
  }
}
