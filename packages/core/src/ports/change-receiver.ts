import type { Settlement } from '../replication/settle.ts';

export interface InboundMessage {
  readonly messageId: string;
  /** As the sender gave it; anything at all may arrive. */
  readonly subject: string | undefined;
  readonly body: Uint8Array;
  /** Ascending in the order in which the queue accepted the messages. */
  readonly sequenceNumber: bigint;
  readonly deliveryCount: number;
}

/**
 * Receives from this region's own queue under peek-lock. A message that is not settled before its
 * lock ends is delivered again, so every delivery may be a duplicate.
 *
 * Every method throws `BUS_UNAVAILABLE` while the queue cannot be reached.
 */
export interface ChangeReceiver {
  /** At most `countMax`; none when nothing arrived within `waitMsMax` or the signal aborted. */
  receive(countMax: number, waitMsMax: number, signal?: AbortSignal): Promise<InboundMessage[]>;
  /** `lock-lost` means that it will be, or has been, delivered again. */
  settle(message: InboundMessage, settlement: Settlement): Promise<'settled' | 'lock-lost'>;
  renewLock(message: InboundMessage): Promise<'renewed' | 'lock-lost'>;
  /** Of the messages still in the queue, locked ones included; undefined when there are none. */
  lowestSequenceNumber(): Promise<bigint | undefined>;
  /** Counts up to `countMax` and stops. */
  countDeadLetters(countMax: number): Promise<number>;
  close(): Promise<void>;
}
