import {
  bucketOf,
  type EntityKind,
  forEachBounded,
  type Replica,
  type RowOperation,
  type RowWrite,
  type StoredRow,
  type TableStore,
} from '@tandem/core';
import { fromEntityProperties, toEntityProperties } from '../rows/entity-row.ts';
import { encodeRowKey } from '../rows/row-key.ts';

export interface TableReplicaOptions {
  readonly store: TableStore;
  readonly kind: EntityKind;
  readonly bucketCount: number;
  /** Another table than the kind's own, for a replay beside the live rows. */
  readonly table?: string;
}

const READS_AT_ONCE_MAX = 16;

/** The rows of one entity kind, as the apply loop and replay see them. */
export function createTableReplica(options: TableReplicaOptions): Replica {
  const { store, kind, bucketCount, table = kind.name } = options;
  return {
    entityKind: kind.name,
    bucketOf: (entityId) => bucketOf(entityId, bucketCount),

    async read(bucket, entityIds) {
      const rows = new Map<string, StoredRow>();
      await forEachBounded(entityIds, READS_AT_ONCE_MAX, async (entityId) => {
        const row = await store.get(table, bucket, encodeRowKey(entityId));
        if (row === undefined) return;
        rows.set(entityId, { entityId, etag: row.etag, ...fromEntityProperties(row.properties) });
      });
      return rows;
    },

    async write(bucket, writes) {
      const outcome = await store.commit({
        table,
        partitionKey: bucket,
        operations: writes.map(toRowOperation),
      });
      if (outcome.kind === 'committed') return { kind: 'written' };
      return { kind: 'changed', entityId: writes[outcome.index]?.entityId ?? '' };
    },
  };
}

export function toRowOperation({ entityId, row, etag }: RowWrite): RowOperation {
  const rowKey = encodeRowKey(entityId);
  const properties = toEntityProperties(row);
  return etag === undefined
    ? { kind: 'insert', rowKey, properties }
    : { kind: 'replace', rowKey, properties, etag };
}
