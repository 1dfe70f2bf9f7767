import { AppError } from '../errors.ts';
import type { InboundMessage } from '../ports/change-receiver.ts';
import { unpackChangeSets } from './change-set-pack.ts';
import { plainBytesOf } from './deflate-change-set.ts';

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

/** What some messages take while they are applied: their change sets are inflated then. */
export interface MessageLoad {
  readonly count: number;
  readonly bytes: number;
}

export function loadOf(messages: readonly InboundMessage[]): MessageLoad {
  const bytes = messages.reduce((sum, { body }) => sum + inflatedBytes(body), 0);
  return { count: messages.length, bytes };
}

/** Of what is received no more than this is held at once: beyond it something has to be settled first. */
export function isRoomFor(countMax: number, held: readonly MessageLoad[]): boolean {
  const sumOf = (of: (load: MessageLoad) => number): number =>
    held.reduce((sum, load) => sum + of(load), 0);
  return (
    sumOf(({ count }) => count) + countMax <= MESSAGES_IN_HAND_MAX &&
    sumOf(({ bytes }) => bytes) < BYTES_IN_HAND_MAX
  );
}

/** How many like these a batch should have. */
export function countLike({ count, bytes }: MessageLoad): number {
  const fitting = Math.floor((BYTES_PER_BATCH * count) / bytes);
  return Math.max(MESSAGES_PER_BATCH_MIN, Math.min(MESSAGES_PER_BATCH_MAX, fitting));
}

/** A damaged pack is never inflated. */
function inflatedBytes(body: Uint8Array): number {
  try {
    return unpackChangeSets(body).reduce((sum, encoded) => sum + plainBytesOf(encoded), 0);
  } catch (error) {
    if (error instanceof AppError) return body.length;
    throw error;
  }
}
