import type { Hold, RegionHold, TableRow, TableStore } from '@tandem/core';
import { textOf } from '../rows/entity-row.ts';
import { REPLICATION_TABLE } from './table-replication-status.ts';

const PARTITION = 'status';
const ROW = 'hold';

/** One row of the table `Replication`. One that nobody can read holds too. */
export function createTableRegionHold({ store }: { readonly store: TableStore }): RegionHold {
  const address = { table: REPLICATION_TABLE, partitionKey: PARTITION };
  return {
    read: async () => holdOf(await store.get(REPLICATION_TABLE, PARTITION, ROW)),
    async set({ reason, sinceMs }) {
      const properties = new Map([
        ['reason', { type: 'String' as const, value: reason }],
        ['since', { type: 'String' as const, value: new Date(sinceMs).toISOString() }],
      ]);
      await store.commit({ ...address, operations: [{ kind: 'upsert', rowKey: ROW, properties }] });
    },
    async release() {
      // Refused when there is none.
      await store.commit({ ...address, operations: [{ kind: 'delete', rowKey: ROW }] });
    },
  };
}

function holdOf(row: TableRow | undefined): Hold | undefined {
  if (row === undefined) return undefined;
  const sinceMs = Date.parse(textOf(row.properties, 'since') ?? '');
  return {
    reason: textOf(row.properties, 'reason') ?? 'unknown',
    sinceMs: Number.isNaN(sinceMs) ? 0 : sinceMs,
  };
}
