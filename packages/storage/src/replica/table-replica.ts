import {
  bucketOf,
  type EntityFault,
  type EntityKind,
  findEntityFault,
  forEachBounded,
  KEY_LENGTH_MAX,
  type Replica,
  type RowOperation,
  type RowWrite,
  type StoredRow,
  type TableStore,
  withinUnknown,
} from '@tandem/core';
import {
  changedColumns,
  encodeRowKey,
  fromEntityProperties,
  toEntityProperties,
} from '../rows/entity-row.ts';
import { createRowMemory, type RowMemory } from './row-memory.ts';

export interface TableReplicaOptions {
  readonly store: TableStore;
  readonly kind: EntityKind;
  readonly bucketCount: number;
  /** Another table than the kind's own, for a replay beside the live rows. */
  readonly table?: string;
  /** Shared with whoever else writes these rows in this process; its own by default. */
  readonly memory?: RowMemory | undefined;
}

const READS_AT_ONCE_MAX = 16;

/** The rows of one entity kind, as the apply loop and replay see them. */
export function createTableReplica(options: TableReplicaOptions): Replica {
  const { store, kind, bucketCount, table = kind.name, memory = createRowMemory() } = options;

  const readRow = async (bucket: string, entityId: string): Promise<StoredRow | undefined> => {
    const row = await store.get(table, bucket, encodeRowKey(entityId));
    if (row === undefined) {
      memory.forget(entityId);
      return undefined;
    }
    // Never what is remembered under the same ETag: in Azurite two quick versions may share one.
    const stored = { entityId, etag: row.etag, ...fromEntityProperties(row.properties) };
    memory.remember(stored);
    return stored;
  };

  return {
    entityKind: kind.name,
    faultOf: (entityId, state) => findEntityFault(kind, entityId, state) ?? findKeyFault(entityId),
    fit: (state) => withinUnknown(kind, state),
    bucketOf: (entityId) => bucketOf(entityId, bucketCount),

    async read(bucket, entityIds) {
      const rows = new Map<string, StoredRow>();
      const readOne = async (entityId: string): Promise<void> => {
        const row = await readRow(bucket, entityId);
        if (row !== undefined) rows.set(entityId, row);
      };
      const [first] = entityIds;
      // Most reads are of one row, for which no lanes need be opened.
      if (entityIds.length === 1 && first !== undefined) await readOne(first);
      else await forEachBounded(entityIds, READS_AT_ONCE_MAX, readOne);
      return rows;
    },

    recall: (entityId) => memory.recall(entityId),

    async write(bucket, writes) {
      const outcome = await store.commit({
        table,
        partitionKey: bucket,
        operations: writes.map(toRowOperation),
      });
      if (outcome.kind === 'refused') {
        const entityId = writes[outcome.index]?.entityId ?? '';
        memory.forget(entityId);
        return { kind: 'changed', entityId };
      }
      for (const [index, { entityId, row }] of writes.entries()) {
        const etag = outcome.etags[index];
        if (etag === undefined) memory.forget(entityId);
        else memory.remember({ ...row, entityId, etag });
      }
      return { kind: 'written' };
    },
  };
}

function findKeyFault(entityId: string): EntityFault | undefined {
  const { length } = encodeRowKey(entityId);
  if (length > 0 && length <= KEY_LENGTH_MAX) return undefined;
  const text = `its id takes ${length} units as a row key, the limit is ${KEY_LENGTH_MAX}`;
  return { reason: 'ENTITY_INVALID', text };
}

export function toRowOperation({ entityId, row, stored }: RowWrite): RowOperation {
  const rowKey = encodeRowKey(entityId);
  const properties = toEntityProperties(row);
  if (stored === undefined) return { kind: 'insert', rowKey, properties };
  const changed = changedColumns(stored, row);
  return { kind: 'replace', rowKey, properties, etag: stored.etag, changed };
}
