/**
 * Keeps two processes from doing the same work. Only a saving: whoever relies on it for correctness
 * is wrong, since a holder may be paused past its end.
 */
export interface Lease {
  /** Resolves with true when this process holds it for `durationMs` from now. Renews what it already holds. */
  acquire(durationMs: number): Promise<boolean>;
  release(): Promise<void>;
}
