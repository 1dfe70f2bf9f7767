/** Says what becomes of a received message. */
export type Settlement =
  | { readonly kind: 'complete' }
  | { readonly kind: 'abandon' }
  | { readonly kind: 'dead-letter'; readonly reason: string; readonly description: string };

/** Is the message with the lowest sequence number. */
export interface OldestMessage {
  readonly sequenceNumber: bigint;
  /** Says when the queue accepted it, by the clock of the queue. */
  readonly enqueuedAtMs: number;
}

export interface InboundMessage {
  readonly messageId: string;
  /** Is as the sender gave it; anything at all may arrive. */
  readonly subject: string | undefined;
  readonly body: Uint8Array;
  /** Ascends in the order in which the queue accepted the messages. */
  readonly sequenceNumber: bigint;
  /** Counts the deliveries so far, this one included: 1 the first time. */
  readonly deliveryCount: number;
}

/**
 * Receives from this region's own queue under peek-lock. A message that is not settled before its
 * lock ends is delivered again, so every delivery may be a duplicate.
 *
 * Every method throws `BUS_UNAVAILABLE` or `BUS_THROTTLED` while the queue cannot be reached,
 * `BUS_ENTITY_MISSING` or `BUS_FORBIDDEN` until an operator helps; it can be called again after any.
 */
export interface ChangeReceiver {
  /**
   * Resolves with at most `countMax`, in the order of acceptance; none when nothing arrived within `waitMsMax`
   * or the signal aborted. An abort loses nothing: what had arrived is received by a later call, here or
   * elsewhere. One call at a time.
   */
  receive(countMax: number, waitMsMax: number, signal?: AbortSignal): Promise<InboundMessage[]>;
  /**
   * Resolves with `lock-lost`, which means that it was settled before, or will be or has been delivered again.
   */
  settle(message: InboundMessage, settlement: Settlement): Promise<'settled' | 'lock-lost'>;
  renewLock(message: InboundMessage): Promise<'renewed' | 'lock-lost'>;
  /**
   * Resolves with the oldest message still in the queue, locked ones included; undefined when there is none.
   */
  oldestMessage(): Promise<OldestMessage | undefined>;
  /** Counts up to `countMax` and stops. */
  countDeadLetters(countMax: number): Promise<number>;
  /** Idempotent; ends a waiting `receive`. What is called afterwards throws `BUS_UNAVAILABLE`. */
  close(): Promise<void>;
}
