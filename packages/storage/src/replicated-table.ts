import {
  CHANGES_PER_SET_MAX,
  type EntityOf,
  type StoredState,
  type TypedKind,
  type VersionVector,
} from '@tandem/core';

/** One live entity as this region has it. */
export interface EntityRecord<K extends TypedKind> {
  readonly entityId: string;
  readonly entity: EntityOf<K>;
  /** Which transactions of which regions this record contains; `encodeVector` makes it an ETag. */
  readonly version: VersionVector;
  /** Is the region of the newest transaction. */
  readonly origin: string;
  /** Its archive key; undefined when the newest transaction was written in this region. */
  readonly referenceId: string | undefined;
}

/** What must hold of the row for a write to happen; without one, nothing need. */
export type WriteCondition =
  /** There is no live entity. */
  | { readonly kind: 'absent' }
  /** There is a live entity, whatever its version. */
  | { readonly kind: 'present' }
  /** The live entity has exactly one of these versions, each as `encodeVector` gives it. */
  | { readonly kind: 'version'; readonly versions: readonly string[] }
  /** The live entity has the version of this tag, as `publicETag` gives it. */
  | { readonly kind: 'etag'; readonly etag: string };

/** One entity as this region has it, whatever its kind holds. */
export interface StateRecord extends StoredState {
  readonly entityId: string;
}

/** What became of a write, told with records of one or another form. */
export type OutcomeOf<R> =
  | { readonly kind: 'created'; readonly record: R }
  | { readonly kind: 'replaced'; readonly record: R }
  /** Every field has the value already that it was to get: nothing was written, nothing is sent. */
  | { readonly kind: 'unchanged'; readonly record: R }
  /** `version` is the tombstone's. */
  | { readonly kind: 'deleted'; readonly version: VersionVector }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'condition-failed'; readonly current: R | undefined };

export type WriteOutcome<K extends TypedKind> = OutcomeOf<EntityRecord<K>>;

/** Is one of the operations of a transaction. */
export type TransactOperation<K extends TypedKind> =
  | {
      readonly kind: 'put';
      readonly entityId: string;
      readonly entity: Partial<EntityOf<K>>;
      readonly condition?: WriteCondition | undefined;
    }
  | {
      readonly kind: 'patch';
      readonly entityId: string;
      readonly changes: Partial<EntityOf<K>>;
      readonly condition?: WriteCondition | undefined;
    }
  | {
      readonly kind: 'remove';
      readonly entityId: string;
      readonly condition?: WriteCondition | undefined;
    };

export type TransactedOf<R> =
  /** All of it is done; one outcome to an operation, none of them `not-found` or `condition-failed`. */
  | { readonly kind: 'done'; readonly outcomes: readonly OutcomeOf<R>[] }
  /** Nothing of it was done, because of the operation at `index`, the first that cannot be done. */
  | {
      readonly kind: 'refused';
      readonly index: number;
      readonly outcome: Extract<OutcomeOf<R>, { kind: 'not-found' | 'condition-failed' }>;
    };

export type TransactOutcome<K extends TypedKind> = TransactedOf<EntityRecord<K>>;

/** Which entities a list is to have: those for which all of it holds. */
export interface ListFilter<K extends TypedKind = TypedKind> {
  /** By the newest stamp, in milliseconds since the epoch: what was changed then or later. */
  readonly changedSinceMs?: number;
  /** Text fields that have exactly this value. */
  readonly equals?: { readonly [N in keyof EntityOf<K> & string]?: string };
}

export interface EntityPage<K extends TypedKind> {
  readonly records: readonly EntityRecord<K>[];
  /** Opaque; undefined on the last page. */
  readonly cursor: string | undefined;
}

/**
 * The table of one entity kind in one region. A write is acknowledged when the region's own table
 * holds it together with its outbox row, in one transaction; peers get it afterwards.
 *
 * Throws `TABLE_LIMIT_EXCEEDED`, `ENTITY_INVALID` and `CURSOR_INVALID` for input that can never be
 * accepted, `WRITE_CONTENDED` when others kept changing the row, and the store's transient errors.
 */
export interface ReplicatedTable<K extends TypedKind> {
  get(entityId: string): Promise<EntityRecord<K> | undefined>;
  /**
   * Creates, or replaces whole: a field that is not named becomes null, unless the kind keeps it. With the
   * merge policy `field` a write that would change no field writes nothing; with `row` it does, for then
   * the later of two concurrent writes wins whole.
   */
  put(
    entityId: string,
    entity: Partial<EntityOf<K>>,
    condition?: WriteCondition,
  ): Promise<WriteOutcome<K>>;
  /** Changes the fields that are named; `not-found` when there is no live entity. */
  patch(
    entityId: string,
    changes: Partial<EntityOf<K>>,
    condition?: WriteCondition,
  ): Promise<WriteOutcome<K>>;
  remove(entityId: string, condition?: WriteCondition): Promise<WriteOutcome<K>>;
  /**
   * Deletes and keeps no value, of a tombstone either; `not-found` when there is no row. Archives still
   * hold what was: `tandem forget` erases it there.
   */
  forget(entityId: string): Promise<WriteOutcome<K>>;
  /**
   * Does all of the operations or none, here and later in every other region: 1 to `OPERATIONS_PER_TRANSACTION_MAX`,
   * each of another entity, all of one bucket (`bucketOf`). In a transaction of several an operation writes
   * every field that it names, changed or not, so that of two concurrent ones the later wins on every field of
   * every entity that both name. Throws `TRANSACTION_INVALID` before anything is written; several operations need
   * `WHOLE_WIRE_VERSION`, as older regions would tear them.
   */
  transact(operations: readonly TransactOperation<K>[]): Promise<TransactOutcome<K>>;
  /** Returns the bucket that the entity lies in; those of one transaction lie in one. */
  bucketOf(entityId: string): string;
  /**
   * Live entities in a stable order. `limit` is 1 to `PAGE_LIMIT_MAX`. There is no index: with a
   * filter the table is read all the same, so pages may be short, even empty, and have a cursor.
   */
  list(limit: number, cursor?: string, filter?: ListFilter<K>): Promise<EntityPage<K>>;
}

/** A transaction of the store holds one more, the outbox row. */
export const OPERATIONS_PER_TRANSACTION_MAX: number = CHANGES_PER_SET_MAX;

export const PAGE_LIMIT_MAX = 1_000;
