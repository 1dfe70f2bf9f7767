import {
  type Clock,
  type EntityFault,
  type EntityKind,
  entityBucketOf,
  findEntityFault,
  forEachBounded,
  KEY_LENGTH_MAX,
  type Randomness,
  type Replica,
  type RetryPolicy,
  retry,
  type StoredRow,
  type TableStore,
  withinUnknown,
} from '@tandem/core';
import { toRowOperation, toStoredState } from '../rows/entity-row.ts';
import { rowKeyOf } from '../rows/row-key.ts';
import { settleMarks } from '../write-path/prepared-set.ts';
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

/** Returns the rows of one entity kind, as the apply loop and replay see them. */
export function createTableReplica(options: TableReplicaOptions): Replica {
  const { store, kind, bucketCount, table = kind.name, memory = createRowMemory() } = options;

  const readStored = async (bucket: string, entityId: string): Promise<StoredRow | undefined> => {
    const row = await store.get(table, bucket, rowKeyOf(kind, entityId));
    if (row === undefined) {
      memory.forget(entityId);
      return undefined;
    }
    // Never what is remembered under the same ETag: in Azurite two quick versions may share one.
    const stored = { entityId, etag: row.etag, ...toStoredState(kind, entityId, row.properties) };
    memory.remember(stored);
    return stored;
  };

  return {
    entityKind: kind.name,
    faultOf: (entityId, state) =>
      findEntityFault(kind, entityId, state) ?? findKeyFault(kind, entityId),
    fit: (state) => withinUnknown(kind, state),
    bucketOf: (entityId) => entityBucketOf(kind, entityId, bucketCount),

    async read(bucket, entityIds) {
      const rows = new Map<string, StoredRow>();
      const readOne = async (entityId: string): Promise<void> => {
        const row = await readStored(bucket, entityId);
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
      if (table === kind.name) {
        await settleMarks(
          writes.map(({ stored }) => stored),
          { store, kind, bucket },
        );
      }
      const outcome = await store.commit({
        table,
        partitionKey: bucket,
        operations: writes.map((write) => toRowOperation(kind, write)),
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

function findKeyFault(kind: EntityKind, entityId: string): EntityFault | undefined {
  const { length } = rowKeyOf(kind, entityId);
  if (length > 0 && length <= KEY_LENGTH_MAX) return undefined;
  const text = `its id takes ${length} units as a row key, the limit is ${KEY_LENGTH_MAX}`;
  return { reason: 'ENTITY_INVALID', text };
}

/** Holds what a read asks, and how it waits before it asks again. */
export interface ReadContext {
  readonly replica: Replica;
  readonly clock: Clock;
  readonly randomness: Randomness;
}

const READ_POLICY: RetryPolicy = { attemptsMax: 4, delayMsMin: 50, delayMsMax: 1_000 };
/** With what one read may take, a store that hangs is given up within ten seconds. */
const READ_BUDGET_MS = 3_500;

/** Reads the row of an entity; a tombstone is one too. */
export async function readRow(
  entityId: string,
  context: ReadContext,
): Promise<StoredRow | undefined> {
  const { replica } = context;
  const rows = await retryRead(() => replica.read(replica.bucketOf(entityId), [entityId]), context);
  return rows.get(entityId);
}

/** Asks again, for as long as a caller can be made to wait, while the store gives no answer. */
export function retryRead<T>(
  read: () => Promise<T>,
  { clock, randomness }: Pick<ReadContext, 'clock' | 'randomness'>,
): Promise<T> {
  return retry(read, { policy: READ_POLICY, clock, randomness, budgetMs: READ_BUDGET_MS });
}
