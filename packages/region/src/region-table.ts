import { assert, type EntityOf, type TypedKind, type VersionVector } from '@tandem/core';
import {
  createEntityHistory,
  type EntityHistory,
  type EntityRecord,
  type HistoryPage,
  type ReplicatedTable,
  type WriteOutcome,
} from '@tandem/storage';
import {
  type Consistency,
  type ConsistencyOptions,
  type ConsistencyParts,
  createConsistency,
  openConsistency,
} from './consistency/consistency.ts';
import { bucketCountOf } from './region-tables.ts';

/** A creation that may be repeated, in any region, and makes one entity. */
export interface Creation<K extends TypedKind> {
  /** Follows from what names the request, such as a key of its caller: the same for each repetition. */
  readonly entityId: string;
  readonly entity: Partial<EntityOf<K>>;
  /** Is a text field of the kind, one of its `keptFields`, in which the digest is kept. */
  readonly digestField: keyof EntityOf<K> & string;
  /** Tells the request from another one of the same id. */
  readonly digest: string;
}

export type CreateOutcome<K extends TypedKind> =
  | Extract<WriteOutcome<K>, { kind: 'created' }>
  /** The same request has created this entity before. */
  | { readonly kind: 'replayed'; readonly record: EntityRecord<K> }
  /** Another request has created the entity under this id. */
  | { readonly kind: 'key-reused' }
  /** The entity that the request created was deleted since. */
  | { readonly kind: 'key-spent' }
  /** Someone has made an entity under this id, and not by `createOnce`. */
  | { readonly kind: 'id-taken' };

/** The table of one entity kind in one region, and what callers may ask of what they wrote and saw. */
export interface RegionTable<K extends TypedKind> extends ReplicatedTable<K>, Consistency {
  /** Creates an entity, or says what an earlier request under the same id made. Throws as `put` does. */
  createOnce(creation: Creation<K>): Promise<CreateOutcome<K>>;
  /**
   * Returns what this region has archived of one entity, deleted or not, oldest first; undefined for one that
   * it never had.
   */
  history(entityId: string, limit: number, cursor?: string): Promise<HistoryPage<K> | undefined>;
}

export interface RegionTableOptions<K extends TypedKind> extends ConsistencyOptions {
  readonly table: ReplicatedTable<K>;
  readonly entityHistory: EntityHistory<K>;
}

/** Adds to a replicated table what the callers of a region ask. Reads and writes are the table's own. */
export function createRegionTable<K extends TypedKind>(
  options: RegionTableOptions<K>,
): RegionTable<K> {
  const { table, entityHistory, readVersion } = options;
  return {
    ...table,
    async createOnce({ entityId, entity, digestField, digest }) {
      const judge = (current: EntityRecord<K> | undefined): CreateOutcome<K> =>
        judgeRepetition(current, { digestField, digest });
      const isUsed = (await readVersion(entityId)) !== undefined;
      if (isUsed) return judge(await table.get(entityId));
      const body = { ...entity, [digestField]: digest };
      const outcome = await table.put(entityId, body, { kind: 'absent' });
      if (outcome.kind === 'created') return outcome;
      assert(outcome.kind === 'condition-failed', 'a creation is done or refused');
      return judge(outcome.current);
    },
    async history(entityId, limit, cursor) {
      const page = await entityHistory.read(entityId, limit, cursor);
      const isNothing = page.entries.length === 0 && page.cursor === undefined;
      if (!isNothing || cursor !== undefined) return page;
      // The archive follows the row, and outlives it.
      return (await readVersion(entityId)) === undefined ? undefined : page;
    },
    ...createConsistency(options),
  };
}

/**
 * Only `createOnce` leaves a digest, whatever is written over it since. An entity without one is another's:
 * an id that follows from a key is no secret, so anybody may have made it.
 */
function judgeRepetition<K extends TypedKind>(
  current: EntityRecord<K> | undefined,
  { digestField, digest }: Pick<Creation<K>, 'digestField' | 'digest'>,
): CreateOutcome<K> {
  if (current === undefined) return { kind: 'key-spent' };
  const first: unknown = current.entity[digestField];
  if (first === null || first === undefined) return { kind: 'id-taken' };
  return first === digest ? { kind: 'replayed', record: current } : { kind: 'key-reused' };
}

/** Returns the version that an outcome left; undefined when nothing is there of which it could be. */
export function versionOf<K extends TypedKind>(
  outcome: WriteOutcome<K> | CreateOutcome<K>,
): VersionVector | undefined {
  if (outcome.kind === 'deleted') return outcome.version;
  return 'record' in outcome ? outcome.record.version : undefined;
}

/** Opens what the callers of one table ask, each of a gate and of receipts of their own. */
export function openRegionTable<K extends TypedKind>(
  kind: K,
  table: ReplicatedTable<K>,
  parts: ConsistencyParts,
): RegionTable<K> {
  const bucketCount = bucketCountOf(kind.name, parts.opened.settings);
  const entityHistory = createEntityHistory({ archive: parts.tables.archive, kind, bucketCount });
  return createRegionTable({ ...openConsistency(kind, parts), table, entityHistory });
}
