export type MessageSubject = 'change-set' | 'watermark';

export interface OutboundMessage {
  readonly messageId: string;
  readonly subject: MessageSubject;
  readonly body: Uint8Array;
  /** Holds the traces of the writes in it, for whoever traces the sending; the body carries them too. */
  readonly traces?: readonly string[];
}

/**
 * Sends to the queue of one peer. There is one publisher per peer, so that a peer which is down
 * holds up no other.
 */
export interface ChangePublisher {
  /** Names the peer's region. */
  readonly peer: string;
  /**
   * Resolves when the peer's queue has accepted every message, in the order given. Throws
   * `BUS_UNAVAILABLE` or `BUS_THROTTLED` when any may not have been accepted (some may have been:
   * sending again is harmless). `BUS_ENTITY_MISSING`, `BUS_FORBIDDEN` or `MESSAGE_TOO_LARGE`, which
   * names the message, say that sending it again will not help. Usable after any of them.
   */
  publish(messages: readonly OutboundMessage[]): Promise<void>;
  /** Idempotent. What is called afterwards throws `BUS_UNAVAILABLE`. */
  close(): Promise<void>;
}
