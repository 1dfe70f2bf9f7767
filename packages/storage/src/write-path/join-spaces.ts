/**
 * The two spaces of a table that moves, as one: what a row is, is the join of its rows in both. Who writes has the row that he
 * writes to contain the other one before, and his write contains that; so it does not matter in which of them a
 * write is, or comes later from another region. See docs/adr/0044.
 */
import {
  type ConflictJournal,
  mergeRows,
  mergeStatesInto,
  type Replica,
  type StoredState,
} from '@tandem/core';
import type { SpaceRows } from '../read/query-open-rows.ts';
import { type ReadContext, readRow, retryRead } from '../tables/table-replica.ts';

/** The space of a table that moves to which this region does not write. */
export interface OtherSpace extends SpaceRows {
  /** Returns the row here joined with the one there; undefined where there is neither. */
  joinedWith(entityId: string, own: StoredState | undefined): Promise<StoredState | undefined>;
  /**
   * Has the rows that are written to contain those here. What they lose to each other goes to the journal, as with a change that
   * comes; no outbox tells of it, since every region has the same rows here, or will.
   */
  pull(entityIds: readonly string[]): Promise<void>;
}

export interface OtherSpaceOptions extends SpaceRows, ReadContext {
  /** The rows that are written to, in the memory that whoever writes them has. */
  readonly into: Replica;
  readonly conflicts: Pick<ConflictJournal, 'record'>;
}

/** `replica` is that of the rows here. */
export function createOtherSpace(options: OtherSpaceOptions): OtherSpace {
  const { kind, bucketCount, replica, into, conflicts } = options;
  return {
    kind,
    bucketCount,
    async joinedWith(entityId, own) {
      const row = await readRow(entityId, options);
      if (row === undefined || own === undefined) return own ?? row;
      return mergeRows(own, row);
    },
    async pull(entityIds) {
      // What lies in one bucket of the one space may lie in several of the other.
      const byBucket = Map.groupBy(entityIds, (entityId) => replica.bucketOf(entityId));
      for (const [bucket, ids] of byBucket) {
        const rows = await retryRead(() => replica.read(bucket, ids), options);
        if (rows.size > 0) await mergeStatesInto(into, rows, conflicts);
      }
    },
  };
}
