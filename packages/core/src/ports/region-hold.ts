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
