import type { Clock } from '../ports/clock.ts';
import type { ChangeReceiver, InboundMessage } from '../ports/change-receiver.ts';
import type { Randomness } from '../ports/randomness.ts';
import { retry } from '../retry/retry.ts';
import type { RetryPolicy } from '../retry/retry-policy.ts';
import type { AppError } from '../errors.ts';
import type { Applier, ReceivedSet } from './apply-change-sets.ts';
import { readChangeSets } from './read-change-sets.ts';
import { type FailedSet, type Settlement, settlementFor, settlementOfSets } from './settle.ts';
import { decodeWatermark, type PendingWatermark } from './watermark.ts';
import { withLocksRenewed } from './with-locks-renewed.ts';

export interface InboundOptions {
  readonly receiver: ChangeReceiver;
  readonly applier: Applier;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly lockRenewMs: number;
  readonly onWatermark: (watermark: PendingWatermark) => void;
  readonly onDeadLettered?: (message: InboundMessage, settlement: Settlement) => void;
  readonly onOutage?: (error: AppError, attempt: number, retryInMs: number) => void;
}

const MESSAGES_PER_BATCH_MAX = 200;
const RECEIVE_WAIT_MS = 1_000;

// While the store is down nothing more is received and nothing is given back: the locks are renewed
// and the same batch is tried again, so that no delivery count is burned by an outage.
const OUTAGE_POLICY: RetryPolicy = {
  attemptsMax: Number.POSITIVE_INFINITY,
  delayMsMin: 200,
  delayMsMax: 5_000,
};

/**
 * Receives one batch, applies it and settles every message. Returns how many there were. Throws
 * when the bus cannot be reached, or when the signal aborts before the batch could be applied: the
 * messages then come again.
 */
export async function receiveAndApply(
  options: InboundOptions,
  signal: AbortSignal,
): Promise<number> {
  const { receiver, clock } = options;
  const messages = await receiver.receive(MESSAGES_PER_BATCH_MAX, RECEIVE_WAIT_MS, signal);
  if (messages.length === 0) return 0;
  await withLocksRenewed({ messages, receiver, clock, everyMs: options.lockRenewMs }, async () => {
    const settlements = await process(messages, options, signal);
    await Promise.all(
      messages.map(async (message, index) => {
        const settlement = settlements[index] ?? { kind: 'abandon' };
        if (settlement.kind === 'dead-letter') options.onDeadLettered?.(message, settlement);
        await receiver.settle(message, settlement);
      }),
    );
  });
  return messages.length;
}

async function process(
  messages: readonly InboundMessage[],
  options: InboundOptions,
  signal: AbortSignal,
): Promise<Settlement[]> {
  const read = messages.map((message, index) => readMessage(message, String(index), options));
  const sets = read.flatMap((one) => (one.kind === 'settled' ? [] : one.received));
  const { clock, randomness } = options;
  const results = await retry(() => options.applier.apply(sets), {
    policy: OUTAGE_POLICY,
    clock,
    randomness,
    signal,
    ...(options.onOutage === undefined ? {} : { onRetry: options.onOutage }),
  });
  return read.map((one): Settlement => {
    if (one.kind === 'settled') return one.settlement;
    const failed = one.received.flatMap(({ key, set }): FailedSet[] => {
      const error = results.get(key);
      return error === undefined ? [] : [{ set, error }];
    });
    return settlementOfSets([...one.unreadable, ...failed], one.count);
  });
}

type ReadMessage =
  | {
      readonly kind: 'change-sets';
      readonly received: readonly ReceivedSet[];
      readonly unreadable: readonly FailedSet[];
      /** Of both. */
      readonly count: number;
    }
  | { readonly kind: 'settled'; readonly settlement: Settlement };

/** One bad message, and one bad change set in a message, holds up no other (I10). */
function readMessage(message: InboundMessage, key: string, options: InboundOptions): ReadMessage {
  try {
    if (message.subject === 'watermark') {
      const watermark = decodeWatermark(message.body);
      options.onWatermark({ ...watermark, sequenceNumber: message.sequenceNumber });
      return { kind: 'settled', settlement: { kind: 'complete' } };
    }
  } catch (error) {
    return { kind: 'settled', settlement: settlementFor(error) };
  }
  const received: ReceivedSet[] = [];
  const unreadable: FailedSet[] = [];
  const sets = readChangeSets(message.body);
  for (const [place, one] of sets.entries()) {
    if (one.kind === 'set') {
      received.push({ key: `${key}.${place}`, set: one.set, encoded: one.encoded });
    } else unreadable.push({ error: one.error });
  }
  return { kind: 'change-sets', received, unreadable, count: sets.length };
}
