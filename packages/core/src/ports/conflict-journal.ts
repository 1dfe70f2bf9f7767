import type { Conflict } from '../replication/conflict.ts';

export interface ConflictJournal {
  /** Idempotent: a conflict is named by its two changes. */
  record(conflicts: readonly Conflict[]): Promise<void>;
  /** Every conflict of a bucket, a page in memory at a time. */
  scan(entityKind: string, bucket: string): AsyncIterable<Conflict>;
  /** Newest first, at most `limit`. */
  list(entityKind: string, limit: number): Promise<readonly Conflict[]>;
}
