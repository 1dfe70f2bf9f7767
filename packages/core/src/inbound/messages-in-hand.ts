import { inflatedBytesOf } from '../arrival/read-change-sets.ts';
import { chunk } from '../concurrency/chunk.ts';
import type { ChangeReceiver, InboundMessage } from '../ports/change-receiver.ts';
import type { Clock } from '../ports/clock.ts';
import { CONFLICTS_PLAIN_BYTES_MAX } from '../wire/encode-conflict.ts';

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
  const bytes = messages.reduce((sum, { body }) => sum + inflatedBytesOf(body), 0);
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

/**
 * The messages in parts that are decoded and applied one after the other: a batch holds as many as like the
 * ones before, and then each of them may be a hundred times as large.
 */
export function slicesOf(messages: readonly InboundMessage[]): readonly InboundMessage[][] {
  return chunk(messages, {
    countMax: MESSAGES_PER_BATCH_MAX,
    weightMax: BYTES_PER_BATCH,
    weigh: worstBytesOf,
  });
}

/** A watermark takes less; what is larger tells of conflicts, and may take all that these may. */
const WATERMARK_BYTES_MAX = 512;

function worstBytesOf({ subject, body }: InboundMessage): number {
  if (subject !== 'watermark') return inflatedBytesOf(body);
  return body.length <= WATERMARK_BYTES_MAX ? body.length : CONFLICTS_PLAIN_BYTES_MAX;
}

interface LockRenewal {
  readonly messages: readonly InboundMessage[];
  readonly receiver: Pick<ChangeReceiver, 'renewLock'>;
  readonly clock: Clock;
  readonly everyMs: number;
}

/**
 * Renews the locks of `messages` until `work` ends. A lock that is lost all the same, or a bus that
 * does not answer, only means that the message comes again, so neither interrupts the work.
 */
export async function withLocksRenewed(
  { messages, receiver, clock, everyMs }: LockRenewal,
  work: () => Promise<void>,
): Promise<void> {
  const ended = new AbortController();
  const renewing = (async () => {
    for (;;) {
      await clock.sleep(everyMs, ended.signal);
      if (ended.signal.aborted) return;
      await Promise.allSettled(messages.map((message) => receiver.renewLock(message)));
    }
  })();
  try {
    await work();
  } finally {
    ended.abort();
    await renewing;
  }
}
