import type { InboundMessage } from '../ports/change-receiver.ts';

export const MESSAGES_PER_BATCH_MAX = 200;
/**
 * What one batch should hold, by the size of the messages before, which differ a hundredfold: decoding a
 * batch keeps everything else in the process waiting, health included, and takes three times its bytes.
 */
const BYTES_PER_BATCH = 4 * 1_024 * 1_024;
const MESSAGES_PER_BATCH_MIN = 20;

/** rhea 3.0.5 holds no more than 2,048 unsettled deliveries of a session: the next batch has to fit in. */
const MESSAGES_IN_HAND_MAX = 2_000;
const BYTES_IN_HAND_MAX = 16 * 1_024 * 1_024;

/** Of what is received no more than this is held at once: beyond it something has to be settled first. */
export function isRoomFor(countMax: number, held: readonly InboundMessage[]): boolean {
  return held.length + countMax <= MESSAGES_IN_HAND_MAX && bytesOf(held) < BYTES_IN_HAND_MAX;
}

/** How many like these a batch should have. */
export function countLike(messages: readonly InboundMessage[]): number {
  const fitting = Math.floor((BYTES_PER_BATCH * messages.length) / bytesOf(messages));
  return Math.max(MESSAGES_PER_BATCH_MIN, Math.min(MESSAGES_PER_BATCH_MAX, fitting));
}

function bytesOf(messages: readonly InboundMessage[]): number {
  return messages.reduce((sum, { body }) => sum + body.length, 0);
}
