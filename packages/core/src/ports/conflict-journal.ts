import type { Conflict } from '../replication/conflict.ts';

export interface ConflictJournal {
  /** Idempotent: a conflict is named by its two changes. */
  record(conflicts: readonly Conflict[]): Promise<void>;
  /** Newest first, at most `limit`. */
  list(entityKind: string, limit: number): Promise<readonly Conflict[]>;
}
