import type { Conflict } from '../model/conflict.ts';

/** Is a conflict that was found in this region and that a peer has not been told of. */
export interface UntoldConflict {
  readonly conflict: Conflict;
  /** Is the journal's own name for what is owed, given back with `told`. */
  readonly key: string;
}

interface UntoldScan {
  readonly limit: number;
  readonly continuation?: string;
}

interface UntoldPage {
  readonly conflicts: readonly UntoldConflict[];
  readonly continuation?: string;
}

/** Keeps the conflicts of a region, those found here and those that its peers have told of. */
export interface ConflictJournal {
  /**
   * Keeps what was found here, joined with what is recorded of the same two transactions, and that every
   * peer is to be told of it. Idempotent.
   */
  record(conflicts: readonly Conflict[]): Promise<void>;
  /** Keeps, joined as by `record`, what another journal has: nobody is told of it. Idempotent. */
  accept(conflicts: readonly Conflict[]): Promise<void>;
  /**
   * Resolves with a page of at most `limit`, in any order. A page may be empty and not be the last: what names no
   * recorded conflict is passed over, so that it holds up nothing behind it.
   */
  untold(peer: string, scan: UntoldScan): Promise<UntoldPage>;
  /** Notes that the peer's queue has them; what was found again meanwhile stays untold. */
  told(peer: string, conflicts: readonly UntoldConflict[]): Promise<void>;
  /**
   * Yields every conflict of a bucket, a page in memory at a time, in the order of the later of the two
   * transactions, then of the earlier one. What nobody can read, or is not whole, is left out: `onDamaged` is told.
   */
  scan(entityKind: string, bucket: string, onDamaged?: () => void): AsyncIterable<Conflict>;
  /** Resolves with the newest first, at most `limit`. */
  list(entityKind: string, limit: number): Promise<readonly Conflict[]>;
}
