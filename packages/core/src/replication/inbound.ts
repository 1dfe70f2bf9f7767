import type { Clock } from '../ports/clock.ts';
import type { ChangeReceiver, InboundMessage } from '../ports/change-receiver.ts';
import type { Randomness } from '../ports/randomness.ts';
import { retry } from '../retry/retry.ts';
import type { RetryPolicy } from '../retry/retry-policy.ts';
import { AppError } from '../errors.ts';
import type { ReceivedSet } from '../arrival/judge-change-set.ts';
import { readChangeSets } from '../arrival/read-change-sets.ts';
import type { Applier, ApplyResults } from './apply-change-sets.ts';
import type { ArchiveRounds } from './archive-in-rounds.ts';
import type { Conflict } from './conflict.ts';
import { decodeConflictMessage } from './encode-conflict.ts';
import {
  countLike,
  isRoomFor,
  loadOf,
  type MessageLoad,
  MESSAGES_PER_BATCH_MAX,
  slicesOf,
} from './messages-in-hand.ts';
import { type FailedSet, type Settlement, settlementFor, settlementOfSets } from './settle.ts';
import { decodeWatermark, type PendingWatermark } from './watermark.ts';
import { withLocksRenewed } from './with-locks-renewed.ts';

export interface InboundOptions {
  readonly receiver: ChangeReceiver;
  readonly applier: Applier;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly lockRenewMs: number;
  /** What the applier archives with, where it works in rounds; the archive of the region otherwise. */
  readonly rounds?: Pick<ArchiveRounds, 'hurry'>;
  readonly onWatermark: (watermark: PendingWatermark) => void;
  readonly onDeadLettered?: (message: InboundMessage, settlement: Settlement) => void;
  readonly onOutage?: (error: AppError, attempt: number, retryInMs: number) => void;
}

const RECEIVE_WAIT_MS = 1_000;

// While the store is down nothing more is received and nothing is given back: the locks are renewed
// and the same batch is tried again, so that no delivery count is burned by an outage.
const OUTAGE_POLICY: RetryPolicy = {
  attemptsMax: Number.POSITIVE_INFINITY,
  delayMsMin: 200,
  delayMsMax: 5_000,
};

// A connection that another call found broken is replaced, while what was applied is being settled on it.
const SETTLE_POLICY: RetryPolicy = { attemptsMax: 6, delayMsMin: 100, delayMsMax: 2_000 };

export interface Inbound {
  /**
   * Receives one batch and applies it. Resolves with how many messages there were, once they are settled;
   * where the archive works in rounds as soon as the rows are written, so that the next batch is received
   * meanwhile. Throws when the bus cannot be reached, or when the signal aborts before a batch could be
   * applied, be it an earlier one: the messages then come again. One call at a time.
   */
  receiveOnce(signal: AbortSignal): Promise<number>;
  /** Resolves when everything in hand is settled or given up. Never rejects. */
  drain(): Promise<void>;
}

export function createInbound(options: InboundOptions): Inbound {
  const { receiver, rounds } = options;
  const inHand = new Map<Promise<void>, MessageLoad>();
  const failures: unknown[] = [];
  let countMax = MESSAGES_PER_BATCH_MAX;

  const isFull = (): boolean => !isRoomFor(countMax, [...inHand.values()]);

  const throwFailure = (): void => {
    const [failure] = failures.splice(0);
    if (failure !== undefined) throw failure;
  };

  const begin = (messages: readonly InboundMessage[], signal: AbortSignal): Promise<void> => {
    const { promise: merged, resolve: onMerged } = Promise.withResolvers<void>();
    const handled = handle(messages, { ...options, onMerged }, signal)
      .catch((error: unknown) => void failures.push(error))
      .finally(() => inHand.delete(handled));
    const load = loadOf(messages);
    countMax = countLike(load);
    inHand.set(handled, load);
    return Promise.race([merged, handled]);
  };

  const drain = async (): Promise<void> => {
    rounds?.hurry();
    while (inHand.size > 0) await Promise.all(inHand.keys());
  };

  return {
    async receiveOnce(signal) {
      while (isFull()) await Promise.race(inHand.keys());
      throwFailure();
      const messages = await receiver.receive(countMax, RECEIVE_WAIT_MS, signal);
      if (messages.length > 0) await begin(messages, signal);
      if (rounds === undefined || signal.aborted) await drain();
      throwFailure();
      return messages.length;
    },
    drain,
  };
}

interface BatchOptions extends InboundOptions {
  /** The rows are written, and what is left is to archive and to settle. */
  readonly onMerged: () => void;
}

/** Applies one batch and settles every message of it; their locks are renewed until then. */
async function handle(
  messages: readonly InboundMessage[],
  options: BatchOptions,
  signal: AbortSignal,
): Promise<void> {
  const { receiver, clock, lockRenewMs: everyMs } = options;
  const slices = slicesOf(messages);
  await withLocksRenewed({ messages, receiver, clock, everyMs }, async () => {
    for (const [place, slice] of slices.entries()) {
      const onMerged = place === slices.length - 1 ? options.onMerged : NOT_ALL_MERGED;
      await applyAndSettle(slice, { ...options, onMerged }, signal);
    }
  });
}

const NOT_ALL_MERGED = (): void => undefined;

async function applyAndSettle(
  messages: readonly InboundMessage[],
  options: BatchOptions,
  signal: AbortSignal,
): Promise<void> {
  const { receiver, clock, randomness } = options;
  const settling = { policy: SETTLE_POLICY, clock, randomness, signal };
  const settlements = await applyMessages(messages, options, signal);
  await Promise.all(
    messages.map(async (message, index) => {
      const settlement = settlements[index] ?? { kind: 'abandon' };
      if (settlement.kind === 'dead-letter') options.onDeadLettered?.(message, settlement);
      await retry(() => receiver.settle(message, settlement), settling);
    }),
  );
}

async function applyMessages(
  messages: readonly InboundMessage[],
  options: BatchOptions,
  signal: AbortSignal,
): Promise<Settlement[]> {
  const read = messages.map((message, index) => readMessage(message, String(index), options));
  const sets = read.flatMap((one) => (one.kind === 'change-sets' ? one.received : []));
  const { clock, randomness, onMerged, applier } = options;
  const duringOutages = {
    policy: OUTAGE_POLICY,
    clock,
    randomness,
    signal,
    ...(options.onOutage === undefined ? {} : { onRetry: options.onOutage }),
  };
  const results = await retry(() => applier.apply(sets, onMerged), duringOutages);
  const settlements: Settlement[] = [];
  for (const one of read) {
    if (one.kind === 'conflicts') {
      const accepting = retry(() => applier.acceptConflicts(one.conflicts), duringOutages);
      settlements.push(await accepting.then(() => COMPLETE, settlementUnless(signal)));
    } else settlements.push(one.kind === 'settled' ? one.settlement : settlementOf(one, results));
  }
  return settlements;
}

const COMPLETE: Settlement = { kind: 'complete' };

/** The settlement of a message that failed; rejects where nothing failed but the time to go on was over. */
const settlementUnless =
  (signal: AbortSignal) =>
  (error: unknown): Settlement => {
    if (signal.aborted || !(error instanceof AppError)) throw error;
    return settlementFor(error);
  };

function settlementOf(
  { received, unreadable, count }: ReadSets,
  results: ApplyResults,
): Settlement {
  const failed = received.flatMap(({ key, set }): FailedSet[] => {
    const error = results.get(key);
    return error === undefined ? [] : [{ set, error }];
  });
  return settlementOfSets([...unreadable, ...failed], count);
}

interface ReadSets {
  readonly kind: 'change-sets';
  readonly received: readonly ReceivedSet[];
  readonly unreadable: readonly FailedSet[];
  /** Of both. */
  readonly count: number;
}

type ReadMessage =
  | ReadSets
  | { readonly kind: 'conflicts'; readonly conflicts: readonly Conflict[] }
  | { readonly kind: 'settled'; readonly settlement: Settlement };

/** One bad message, and one bad change set in a message, holds up no other (I10). */
function readMessage(message: InboundMessage, key: string, options: InboundOptions): ReadMessage {
  try {
    if (message.subject === 'watermark') {
      const conflicts = decodeConflictMessage(message.body);
      if (conflicts !== undefined) return { kind: 'conflicts', conflicts };
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
