export type QueueLane = 'messages' | 'dead-letters';

/** Is a message in a queue as an operator sees it: nothing is locked by looking. */
export interface QueuedMessage {
  readonly sequenceNumber: bigint;
  readonly messageId: string;
  readonly subject: string | undefined;
  readonly body: Uint8Array;
  readonly enqueuedAtMs: number;
  /** Is there for a dead letter. */
  readonly reason: string | undefined;
  readonly description: string | undefined;
}

/** Says why a message lies dead that an operator has set aside. */
export const SET_ASIDE_REASON = 'SET_ASIDE';
export const SET_ASIDE_DESCRIPTION = 'An operator has set it aside.';

/** Says what an operator does about one dead letter: sends it again, or throws it away. */
export type DeadLetterVerdict = 'resubmit' | 'discard';

/** Is sent in the place of a dead letter, under its subject. */
export interface DeadLetterReplacement {
  readonly messageId: string;
  readonly body: Uint8Array;
}

/** Holds them by the number of the letter. */
export type DeadLetterReplacements = ReadonlyMap<bigint, readonly DeadLetterReplacement[]>;

/**
 * Shows a region's own queue to an operator. Every method throws `BUS_UNAVAILABLE`, `BUS_THROTTLED`,
 * `BUS_ENTITY_MISSING` or `BUS_FORBIDDEN`.
 */
export interface QueueViewer {
  /** Resolves with those from that sequence number on, ascending, at most `countMax`. */
  peek(lane: QueueLane, from: bigint, countMax: number): Promise<readonly QueuedMessage[]>;
  /**
   * Resubmits or discards the dead letters that are named, and leaves the others. A resubmitted one is
   * in the queue before it leaves the dead letters, so it may come twice and is never lost. Resolves
   * with the sequence numbers that were found; others hold the rest, or they are gone.
   */
  settle(
    sequenceNumbers: ReadonlySet<bigint>,
    verdict: DeadLetterVerdict,
  ): Promise<ReadonlySet<bigint>>;
  /**
   * Sends to the queue what stands in the place of each dead letter that is named, and only then takes the letter
   * away: what stands for it may come twice and is never lost. Resolves as `settle` does.
   */
  replace(replacements: DeadLetterReplacements): Promise<ReadonlySet<bigint>>;
  /**
   * Moves messages that are named from the queue to its dead letters, with `SET_ASIDE_REASON`: nothing of
   * them is lost, and `settle` puts them back. Resolves with the sequence numbers that were found; a message
   * that somebody holds is not, until he lets it go.
   */
  setAside(sequenceNumbers: ReadonlySet<bigint>): Promise<ReadonlySet<bigint>>;
  /** Closes the connection. Idempotent. */
  close(): Promise<void>;
}
