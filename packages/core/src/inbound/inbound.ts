// The way of a message from the region's queue to its settlement.
//
//     state       event                                   next        what it proves
//     in queue    received under peek-lock                locked      nobody else works on it while its lock is renewed
//     locked      decoded, set by set                     read        what cannot be read is known, and holds up no other (I10)
//     read        one fragment of a large set, kept       settled     the others come by themselves; all are in the store then
//     read        the last fragment of a large set        read        all of the set is in hand, and goes the way of any
//     read        judged; conflicts, then rows written    merged      this region has it: the next batch is received meanwhile
//     merged      its round of the archive is written     archived    a replay has it too, so no other copy is needed
//     archived    completed                               settled     the queue has it no more
//     read        refused by a reason of `REFUSALS`       settled     it lies in the dead letters, under that reason
//     read        the store fails, and the probe too      read        nothing: an outage; all of the batch is held and tried again
//     read        it fails alone, while the probe works   isolated    the others are settled, and it is tried on its own
//     isolated    applied, or refused after 8 failures    settled     as above
//     any         stop, crash, lock lost                  in queue    nothing: it comes again, and every step can be repeated
//
// A watermark is passed when no message with a smaller number is in the queue, so what stays unsettled here holds it back.
import type { ReceivedSet } from '../arrival/judge-change-set.ts';
import type { Notices } from '../arrival/notices.ts';
import {
  type FailedSet,
  isMessageFault,
  settlementFor,
  settlementOfSets,
} from '../arrival/refusal.ts';
import { chunk } from '../concurrency/bounded.ts';
import { type RetryPolicy, retry } from '../concurrency/retry.ts';
import { type AppError, TerminalError } from '../errors.ts';
import type { Fragment } from '../model/change-set.ts';
import type { Conflict } from '../model/conflict.ts';
import type { ChangeReceiver, InboundMessage, Settlement } from '../ports/change-receiver.ts';
import type { Clock } from '../ports/clock.ts';
import type { FragmentKeeper } from '../ports/fragment-keeper.ts';
import type { Randomness } from '../ports/randomness.ts';
import {
  CONFLICTS_PLAIN_BYTES_MAX,
  conflictBytesOf,
  decodeConflictMessage,
  encodeConflict,
} from '../wire/encode-conflict.ts';
import { decodeFragment, isFragment } from '../wire/large-set.ts';
import {
  inflatedBytesOf,
  type ReadSet,
  readChangeSet,
  readChangeSets,
} from '../wire/message-body.ts';
import { decodeWatermark, type PendingWatermark } from '../wire/watermark.ts';
import { type Applier, rethrowBlocked } from './apply-change-sets.ts';
import type { ArchiveRounds } from './archive-in-rounds.ts';
import {
  type AppliedApart,
  applyApart,
  type IsolatedMessage,
  isOwnFault,
  isolate,
  type ProbedSet,
  type Trial,
} from './isolate-fault.ts';

export interface InboundOptions {
  readonly receiver: ChangeReceiver;
  readonly applier: Applier;
  readonly fragments: FragmentKeeper;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly lockRenewMs: number;
  /** Is what the applier archives with, where that works in rounds; else it is the archive of the region. */
  readonly rounds?: Pick<ArchiveRounds, 'hurry'>;
  readonly onWatermark: (watermark: PendingWatermark) => void;
  /**
   * Resolves when the store answers a read and a write where the set would go. With it a set that the store never takes
   * is told from an outage, and holds up no other; without it every failure is an outage.
   */
  readonly probe?: (set: ProbedSet) => Promise<void>;
  readonly notices?: Pick<Notices, 'note'>;
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
    const onIsolated = (load: MessageLoad): void => void inHand.set(handled, load);
    const handled: Promise<void> = handle(messages, { ...options, onMerged, onIsolated }, signal)
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
  /** Is called when the rows are written, and what is left is to archive and to settle. */
  readonly onMerged: () => void;
  /** Is called when all others are settled, with what is left in memory. */
  readonly onIsolated: (load: MessageLoad) => void;
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
    const late: LateMessage[] = [];
    const settleLate = async (): Promise<void> => {
      await Promise.all(
        late.map(async ({ message, isolated }) =>
          settle(message, await isolated.settlement(), { ...options, signal }),
        ),
      );
      late.length = 0;
    };
    for (const [place, slice] of slices.entries()) {
      // What is tried alone stays in memory meanwhile, and in an outage that is whatever tells of conflicts.
      if (lateLoadOf(late).bytes >= BYTES_IN_HAND_MAX) await settleLate();
      const onMerged = place === slices.length - 1 ? options.onMerged : NOT_ALL_MERGED;
      late.push(...(await applyAndSettle(slice, { ...options, onMerged }, signal)));
    }
    if (late.length === 0) return;
    options.onIsolated(lateLoadOf(late));
    await settleLate();
  });
}

const NOT_ALL_MERGED = (): void => undefined;

/** Is one that was tried alone, and is settled once that is over. */
interface LateMessage {
  readonly message: InboundMessage;
  readonly isolated: IsolatedMessage;
}

function lateLoadOf(late: readonly LateMessage[]): MessageLoad {
  const bytes = late.reduce(
    (sum, { message, isolated }) => sum + (isolated.bytes ?? inflatedBytesOf(message.body)),
    0,
  );
  return { count: late.length, bytes };
}

/** Resolves with those that are not settled yet, since the store does not take them although it takes others. */
async function applyAndSettle(
  messages: readonly InboundMessage[],
  options: BatchOptions,
  signal: AbortSignal,
): Promise<readonly LateMessage[]> {
  const settlements = await applyMessages(messages, options, signal);
  const late: LateMessage[] = [];
  await Promise.all(
    messages.map(async (message, index) => {
      const settlement = settlements[index] ?? { kind: 'abandon' };
      if (settlement.kind === 'isolated') late.push({ message, isolated: settlement });
      else await settle(message, settlement, { ...options, signal });
    }),
  );
  return late;
}

async function settle(
  message: InboundMessage,
  settlement: Settlement,
  { receiver, clock, randomness, signal, onDeadLettered }: InboundOptions & { signal: AbortSignal },
): Promise<void> {
  const settling = { policy: SETTLE_POLICY, clock, randomness, signal };
  if (settlement.kind === 'dead-letter') onDeadLettered?.(message, settlement);
  await retry(() => receiver.settle(message, settlement), settling);
}

async function applyMessages(
  messages: readonly InboundMessage[],
  options: BatchOptions,
  signal: AbortSignal,
): Promise<(Settlement | IsolatedMessage)[]> {
  const read = messages.map((message, index) => readMessage(message, String(index), options));
  const sets = read.flatMap((one) => (one.kind === 'change-sets' ? one.received : []));
  const applied = await whileDown(() => applyOrIsolate(sets, options), options, signal);
  const areKept = await acceptTogether(read, options);
  const settlements: (Settlement | IsolatedMessage)[] = [];
  for (const [index, one] of read.entries()) {
    const message = messages[index];
    if (one.kind === 'settled' || message === undefined) {
      settlements.push(one.kind === 'settled' ? one.settlement : { kind: 'abandon' });
    } else if (one.kind === 'conflicts' && areKept) {
      settlements.push({ kind: 'complete' });
    } else if (one.kind === 'conflicts') {
      settlements.push(await acceptConflicts(one.conflicts, message, { ...options, signal }));
    } else if (one.kind === 'fragment') {
      // One after the other: whichever comes last brings all of a set into memory.
      settlements.push(await acceptFragment(one.fragment, message, { ...options, signal }));
    } else settlements.push(settlementOf(one, applied, { ...options, signal, message }));
  }
  return settlements;
}

/** Tries again and again what the store does not do: the batch is held meanwhile. */
function whileDown<T>(
  work: () => Promise<T>,
  { clock, randomness, onOutage }: InboundOptions,
  signal: AbortSignal,
): Promise<T> {
  return retry(work, {
    policy: OUTAGE_POLICY,
    clock,
    randomness,
    signal,
    ...(onOutage === undefined ? {} : { onRetry: onOutage }),
  });
}

function settlementOf(
  one: ReadSets,
  { results, isolated }: AppliedApart,
  options: BatchOptions & { readonly signal: AbortSignal; readonly message: InboundMessage },
): Settlement | IsolatedMessage {
  const failed = one.received.flatMap(({ key, set }): FailedSet[] => {
    const error = results.get(key);
    return error === undefined ? [] : [{ set, error }];
  });
  const known = [...one.unreadable, ...failed];
  const apart = one.received.filter(({ key }) => isolated.has(key));
  const trials = apart.map(
    ({ key, set, encoded }): Trial => ({
      set,
      error: isolated.get(key)?.error,
      attempt: async () => (await options.applier.apply([{ key, set, encoded }])).get(key),
    }),
  );
  if (trials.length === 0) return settlementOfSets(known, one.count);
  return isolate(trials, { known, count: one.count }, options);
}

/**
 * Keeps a fragment, and applies the set once it is whole. Its message is settled as soon as it is kept, or with the
 * set: what is refused stays kept, so whoever mends the cause puts the one message back.
 */
async function acceptFragment(
  fragment: Fragment,
  message: InboundMessage,
  options: BatchOptions & { readonly signal: AbortSignal },
): Promise<Settlement | IsolatedMessage> {
  const { probe, signal } = options;
  const set = { ...fragment, isFragment: true, changes: [] };
  const attempt = () => takeFragment(fragment, message, options);
  const accept = async (): Promise<Settlement | IsolatedMessage> => {
    try {
      const refusal = await attempt();
      return refusal === undefined ? { kind: 'complete' } : settlementFor(refusal);
    } catch (error) {
      if (error instanceof TerminalError && isMessageFault(error)) return settlementFor(error);
      const isOwn = probe !== undefined && (await isOwnFault(error, () => probe(set)));
      if (!isOwn) throw error;
      const trials = [{ set, error, attempt }];
      return isolate(trials, { known: [], count: 1 }, { ...options, message });
    }
  };
  return whileDown(accept, options, signal);
}

/** Resolves with why the set never can be applied. Throws what the store does, and then all of it is to be repeated. */
async function takeFragment(
  fragment: Fragment,
  { messageId }: InboundMessage,
  { applier, fragments }: InboundOptions,
): Promise<TerminalError | undefined> {
  const refusal = applier.judgeFragment(fragment);
  if (refusal !== undefined) return refusal;
  const kept = await fragments.keep(fragment).catch(rethrowBlocked);
  if (kept.kind !== 'whole') return undefined;
  const { received, unreadable } = toReadSets(
    [readChangeSet(kept.encoded)],
    `fragments of ${messageId}`,
  );
  for (const { error } of unreadable) throw error;
  checkPlace(fragment, received);
  const results = await applier.apply(received);
  const [refused] = [...results.values()].filter((error) => error !== undefined);
  if (refused === undefined) await fragments.drop(fragment).catch(rethrowBlocked);
  return refused;
}

/**
 * Keeps the conflicts of all messages in one go, and resolves with whether they are: each message spreads over
 * all buckets, so one by one they cost as many transactions as they have buckets, and the watermarks behind
 * them wait. Where that fails each message is tried alone, and tells why.
 */
async function acceptTogether(
  read: readonly ReadMessage[],
  { applier }: InboundOptions,
): Promise<boolean> {
  const all = read.flatMap((one) => (one.kind === 'conflicts' ? [one.conflicts] : []));
  if (all.length < 2) return false;
  // Whatever it fails with, the trial of the one message says again.
  return applier.acceptConflicts(all.flat()).then(
    () => true,
    () => false,
  );
}

/**
 * Conflicts that cannot be kept now are tried on their own: nothing else waits for them. Each of them is then kept
 * alone, so that those which the store took need not be tried again: a message has so many that a store which fails
 * now and then hardly ever takes all of them in one go.
 */
async function acceptConflicts(
  conflicts: readonly Conflict[],
  message: InboundMessage,
  options: BatchOptions & { readonly signal: AbortSignal },
): Promise<Settlement | IsolatedMessage> {
  const { applier } = options;
  const [first] = conflicts;
  try {
    await applier.acceptConflicts(conflicts);
    return { kind: 'complete' };
  } catch (error) {
    if (error instanceof TerminalError && isMessageFault(error)) return settlementFor(error);
    if (first === undefined) throw error;
    const left = new Set(conflicts);
    const set = {
      entityKind: first.entityKind,
      stamp: first.stamps[1],
      get bucket() {
        const [next = first] = left;
        return applier.bucketOf(next);
      },
      get changes() {
        return [...left];
      },
    };
    const attempt = (): Promise<TerminalError | undefined> => acceptEach(left, applier);
    const counted = { known: [], count: 1 };
    const bytes = conflicts.reduce((sum, one) => sum + encodeConflict(one).length, 0);
    return { ...isolate([{ set, error, attempt }], counted, { ...options, message }), bytes };
  }
}

/** Throws `FRAGMENTS_DIFFER` where what was cut is another set than its fragments say. */
function checkPlace(fragment: Fragment, received: readonly ReceivedSet[]): void {
  for (const { set } of received) {
    const { entityKind, bucket, stamp } = set;
    const isOwn =
      entityKind === fragment.entityKind && bucket === fragment.bucket && stamp === fragment.stamp;
    if (isOwn) continue;
    const what = `they are said to be of ${fragment.stamp}, and are of ${stamp}`;
    throw new TerminalError('FRAGMENTS_DIFFER', `The fragments make no change set: ${what}.`);
  }
}

/** A store that is down need not be asked for all of them. */
const FAILURES_PER_TRIAL_MAX = 8;

/**
 * Takes out of `left` what is kept. Throws when some is left that can be tried again, and resolves with why another
 * never can be kept.
 */
async function acceptEach(
  left: Set<Conflict>,
  applier: Applier,
): Promise<TerminalError | undefined> {
  let refusal: TerminalError | undefined;
  const failures: unknown[] = [];
  const tried = [...left];
  for (const conflict of tried) {
    left.delete(conflict);
    try {
      await applier.acceptConflicts([conflict]);
    } catch (error) {
      // Behind the others, which are tried before it the next time.
      left.add(conflict);
      if (error instanceof TerminalError && isMessageFault(error)) refusal ??= error;
      else failures.push(error);
      if (failures.length === FAILURES_PER_TRIAL_MAX) break;
    }
  }
  if (failures.length > 0) throw failures[0];
  return refusal;
}

const NONE_ISOLATED: AppliedApart['isolated'] = new Map();

/** Throws when the store is to blame, be it for a while: then all of it is to be repeated. */
async function applyOrIsolate(
  sets: readonly ReceivedSet[],
  { applier, onMerged, probe, rounds }: BatchOptions,
): Promise<AppliedApart> {
  try {
    return { results: await applier.apply(sets, onMerged), isolated: NONE_ISOLATED };
  } catch (error) {
    if (probe === undefined) throw error;
    const hurry = (): void => rounds?.hurry();
    const applied = await applyApart(sets, error, { applier, probe, hurry });
    onMerged();
    return applied;
  }
}

interface ReadSets {
  readonly kind: 'change-sets';
  readonly received: readonly ReceivedSet[];
  readonly unreadable: readonly FailedSet[];
  /** Counts both. */
  readonly count: number;
}

type ReadMessage =
  | ReadSets
  | { readonly kind: 'conflicts'; readonly conflicts: readonly Conflict[] }
  | { readonly kind: 'fragment'; readonly fragment: Fragment }
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
    if (isFragment(message.body)) {
      return { kind: 'fragment', fragment: decodeFragment(message.body) };
    }
  } catch (error) {
    return { kind: 'settled', settlement: settlementFor(error) };
  }
  return toReadSets(readChangeSets(message.body), key);
}

function toReadSets(sets: readonly ReadSet[], key: string): ReadSets {
  const received: ReceivedSet[] = [];
  const unreadable: FailedSet[] = [];
  for (const [place, one] of sets.entries()) {
    if (one.kind === 'set') {
      received.push({ key: `${key}.${place}`, set: one.set, encoded: one.encoded });
    } else unreadable.push({ error: one.error });
  }
  return { kind: 'change-sets', received, unreadable, count: sets.length };
}

const MESSAGES_PER_BATCH_MAX = 200;
/**
 * Bounds what one batch should hold, by the size of the messages before, which differ a hundredfold: decoding a
 * batch keeps everything else in the process waiting, health included, and takes three times its bytes.
 */
const BYTES_PER_BATCH = 4 * 1_024 * 1_024;
const MESSAGES_PER_BATCH_MIN = 20;

/** rhea 3.0.5 holds no more than 2,048 unsettled deliveries of a session: the next batch has to fit in. */
const MESSAGES_IN_HAND_MAX = 2_000;
const BYTES_IN_HAND_MAX = 16 * 1_024 * 1_024;

/** Is what some messages take while they are applied: their change sets are inflated then. */
interface MessageLoad {
  readonly count: number;
  readonly bytes: number;
}

export function loadOf(messages: readonly InboundMessage[]): MessageLoad {
  const bytes = messages.reduce((sum, { body }) => sum + inflatedBytesOf(body), 0);
  return { count: messages.length, bytes };
}

/** Says whether so many more can be held at once: beyond it something has to be settled first. */
export function isRoomFor(countMax: number, held: readonly MessageLoad[]): boolean {
  const sumOf = (of: (load: MessageLoad) => number): number =>
    held.reduce((sum, load) => sum + of(load), 0);
  return (
    sumOf(({ count }) => count) + countMax <= MESSAGES_IN_HAND_MAX &&
    sumOf(({ bytes }) => bytes) < BYTES_IN_HAND_MAX
  );
}

/** Returns how many like these a batch should have. */
export function countLike({ count, bytes }: MessageLoad): number {
  const fitting = Math.floor((BYTES_PER_BATCH * count) / bytes);
  return Math.max(MESSAGES_PER_BATCH_MIN, Math.min(MESSAGES_PER_BATCH_MAX, fitting));
}

/**
 * Returns the messages in parts that are decoded and applied one after the other: a batch holds as many as like
 * the ones before, and then each of them may be a hundred times as large.
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
  // A few hundred bytes may be a thousand times as many.
  return body.length <= WATERMARK_BYTES_MAX ? conflictBytesOf(body) : CONFLICTS_PLAIN_BYTES_MAX;
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
async function withLocksRenewed(
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
