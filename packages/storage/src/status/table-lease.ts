import { type Clock, type FieldValue, type Lease, type TableStore } from '@tandem/core';
import { textOf } from '../rows/entity-row.ts';
import { REPLICATION_TABLE } from './table-replication-status.ts';

const PARTITION = 'lease';
/** What ends later than any clock but a broken one can have said is free: its holder may be dead. */
const SKEW_MS_MAX = 60_000;

export interface TableLeaseOptions {
  readonly store: TableStore;
  readonly clock: Clock;
  readonly name: string;
  /** This process. */
  readonly holder: string;
}

/** A row of the table `Replication`, taken and renewed by ETag. */
export function createTableLease({ store, clock, name, holder }: TableLeaseOptions): Lease {
  const table = REPLICATION_TABLE;

  return {
    async acquire(durationMs) {
      const row = await store.get(table, PARTITION, name);
      const until = row?.properties.get('untilMs');
      const leftMs = until?.type === 'Int64' ? Number(until.value) - clock.nowMs() : 0;
      const isFree = leftMs <= 0 || leftMs > durationMs + SKEW_MS_MAX;
      if (row !== undefined && !isFree && textOf(row.properties, 'holder') !== holder) return false;
      const properties = new Map<string, FieldValue>([
        ['holder', { type: 'String', value: holder }],
        ['untilMs', { type: 'Int64', value: BigInt(Math.trunc(clock.nowMs() + durationMs)) }],
      ]);
      const operation =
        row === undefined
          ? { kind: 'insert' as const, rowKey: name, properties }
          : { kind: 'replace' as const, rowKey: name, properties, etag: row.etag };
      const outcome = await store.commit({
        table,
        partitionKey: PARTITION,
        operations: [operation],
      });
      return outcome.kind === 'committed';
    },
    async release() {
      const row = await store.get(table, PARTITION, name);
      if (row === undefined || textOf(row.properties, 'holder') !== holder) return;
      await store.commit({
        table,
        partitionKey: PARTITION,
        operations: [{ kind: 'delete', rowKey: name, etag: row.etag }],
      });
    },
  };
}
