/**
 * Keeps two processes from doing the same work. Only a saving: whoever relies on it for correctness
 * is wrong, since a holder may be paused past its end.
 */
export interface Lease {
  /** Resolves with true when this process holds it for `durationMs` from now. Renews what it already holds. */
  acquire(durationMs: number): Promise<boolean>;
  release(): Promise<void>;
}

/** Says why a region takes no traffic until an operator has proven it whole. */
export interface Hold {
  readonly reason: string;
  /** Is a time in milliseconds since the epoch. */
  readonly sinceMs: number;
}

/** Keeps the hold on a region in its own table: a held region is never ready, whatever else it is (I14). */
export interface RegionHold {
  read(): Promise<Hold | undefined>;
  /** Replaces what there is. */
  set(hold: Hold): Promise<void>;
  /**
   * Ends the hold that was read or set. Idempotent. Throws `RECOVERY_REFUSED`, with the reason, when another has
   * taken its place: whoever set that knows of something that its releaser does not.
   */
  release(seen: Hold): Promise<void>;
}
