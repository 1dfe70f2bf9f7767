import type { EntityFault } from '../entity-kind/entity-fields.ts';
import type { EntityState, StoredState } from '../state/entity-state.ts';

export interface StoredRow extends StoredState {
  readonly entityId: string;
  readonly etag: string;
}

export interface RowWrite {
  readonly entityId: string;
  readonly row: StoredState;
  /** Is the row that it replaces, under the ETag of which it is written; undefined when there was none. */
  readonly stored: StoredRow | undefined;
}

/** Keeps the rows of one entity kind in this region, as the apply loop and replay see them. */
export interface Replica {
  readonly entityKind: string;
  /** Returns why a received state can be none of this kind, or undefined. */
  faultOf(entityId: string, state: EntityState): EntityFault | undefined;
  /** Returns the state as a row here may hold it: see `withinUnknown`. Whoever joins states writes this one. */
  fit(state: EntityState): EntityState;
  bucketOf(entityId: string): string;
  read(bucket: string, entityIds: readonly string[]): Promise<ReadonlyMap<string, StoredRow>>;
  /**
   * Returns the row as this process last saw it, without asking the store. It may have changed since, so
   * nothing may follow from it but a write, which its ETag guards.
   */
  recall(entityId: string): StoredRow | undefined;
  /**
   * Writes 1 to `ROWS_PER_TRANSACTION_MAX` rows of one bucket, all or none; `changed` names the row that had been written by
   * someone else since it was read.
   */
  write(
    bucket: string,
    writes: readonly RowWrite[],
  ): Promise<{ kind: 'written' } | { kind: 'changed'; entityId: string }>;
}
