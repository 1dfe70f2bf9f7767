import { AppError, type Clock, type EntityKind, type TableStore } from '@tandem/core';
import { createTableRegionHold, isBucketCountRecorded, REPLICATION_TABLE } from '@tandem/storage';

export interface HoldLostTablesOptions {
  readonly store: TableStore;
  readonly kinds: readonly EntityKind[];
  readonly clock: Pick<Clock, 'nowMs'>;
}

/**
 * Holds the region when a table is gone that it had: made anew it is empty, and the queue, which is
 * drained by then, would say that the region has caught up (I14). To be called before tables are made.
 */
export async function holdLostTables(options: HoldLostTablesOptions): Promise<void> {
  const { store, kinds, clock } = options;
  for (const kind of kinds) {
    if (!(await isBucketCountRecorded(store, kind)) || (await isThere(store, kind.name))) continue;
    await store.createTable(REPLICATION_TABLE);
    const reason = `The table ${kind.name} was gone. Run: tandem rebuild-region`;
    await createTableRegionHold({ store }).set({ reason, sinceMs: clock.nowMs() });
  }
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
