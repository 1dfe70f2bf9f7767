import { type RetryPolicy, retryDelayMs } from '../concurrency/retry.ts';
import { AppError } from '../errors.ts';
import type { ChangePublisher, OutboundMessage } from '../ports/change-publisher.ts';
import type { Clock } from '../ports/clock.ts';
import type { Randomness } from '../ports/randomness.ts';
import { PACK_WIRE_VERSION, WIRE_VERSION } from '../wire/versions.ts';

type PublishOutcome = 'accepted' | 'peer-down';

/**
 * A publisher that, after a failure, is not asked again until its backoff is over. One that takes
 * messages and never answers is no better than one that refuses them: see `HANGS_AFTER_MS`.
 */
export interface PeerLink {
  readonly peer: string;
  /** Every replicator of the peer reads packs of change sets. */
  readonly readsPacks: boolean;
  /** Returns false while the backoff of the last failure runs, or work that `briefly` left behind. */
  isOpen(): boolean;
  /** Returns true when the last attempt, if any, was accepted, and none hangs. */
  isReachable(): boolean;
  /** Throws only terminal errors: a peer that is down is an outcome. */
  publish(messages: readonly OutboundMessage[]): Promise<PublishOutcome>;
  /**
   * Waits for work with this peer only as long as a peer that answers takes for it, for a caller who serves
   * others besides. `late`: it goes on by itself, and until it has ended the link is not open.
   */
  briefly<T>(work: Promise<T>): Promise<T | 'late'>;
}

export interface PeerLinkOptions {
  readonly publisher: ChangePublisher;
  readonly clock: Clock;
  readonly randomness: Randomness;
  /** The newest that every region reads, `WIRE_VERSION` by default: what is newer would be set aside. */
  readonly wireVersion?: number;
  readonly onDown?: (peer: string, error: AppError, retryInMs: number) => void;
  readonly onUp?: (peer: string) => void;
}

const PEER_BACKOFF: RetryPolicy = {
  attemptsMax: Number.POSITIVE_INFINITY,
  delayMsMin: 500,
  delayMsMax: 15_000,
};

/** A send takes milliseconds, and the first of a connection some hundreds of them. */
const HANGS_AFTER_MS = 2_000;
/** What others are made to wait for a peer that answered the last time. */
const BRIEF_MS = 500;
/** The same for one that did not: when it is back, it has until the next attempt to answer. */
const TRIAL_MS = 100;

export function createPeerLink(options: PeerLinkOptions): PeerLink {
  const { publisher, clock, randomness } = options;
  let failures = 0;
  let closedUntilMs = 0;
  /** When each call that is under way began. */
  const underWay = new Set<{ readonly sinceMs: number }>();
  let leftBehind = 0;

  const isHanging = (): boolean => {
    const nowMs = clock.nowMs();
    return [...underWay].some(({ sinceMs }) => nowMs - sinceMs >= HANGS_AFTER_MS);
  };

  const isOpen = (): boolean => {
    if (leftBehind > 0) return false;
    const waitMs = closedUntilMs - clock.nowMs();
    // No backoff is that long: the clock was ahead when it began, and has been set right since.
    return waitMs <= 0 || waitMs > PEER_BACKOFF.delayMsMax;
  };

  const noteFailure = (error: AppError): void => {
    failures += 1;
    const delayMs = retryDelayMs(PEER_BACKOFF, Math.min(failures, 10), randomness.fraction());
    closedUntilMs = clock.nowMs() + delayMs;
    options.onDown?.(publisher.peer, error, delayMs);
  };

  const publish = async (messages: readonly OutboundMessage[]): Promise<PublishOutcome> => {
    if (!isOpen()) return 'peer-down';
    const call = { sinceMs: clock.nowMs() };
    underWay.add(call);
    try {
      await publisher.publish(messages);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      // A queue that is missing or refuses us is mended by an operator while we keep trying.
      if (!error.retryable && error.code === 'MESSAGE_TOO_LARGE') throw error;
      noteFailure(error);
      return 'peer-down';
    } finally {
      underWay.delete(call);
    }
    if (failures > 0) options.onUp?.(publisher.peer);
    failures = 0;
    return 'accepted';
  };

  const briefly = async <T>(work: Promise<T>): Promise<T | 'late'> => {
    const outcome = await within(failures === 0 ? BRIEF_MS : TRIAL_MS, work, clock);
    if (outcome !== 'late') return outcome;
    leftBehind += 1;
    const end = (): void => void (leftBehind -= 1);
    // What it fails with is told by the next attempt again, to whoever makes it.
    work.then(end, end);
    return 'late';
  };

  return {
    peer: publisher.peer,
    readsPacks: (options.wireVersion ?? WIRE_VERSION) >= PACK_WIRE_VERSION,
    isOpen,
    isReachable: () => failures === 0 && !isHanging(),
    publish,
    briefly,
  };
}

/** Gives the work so many milliseconds; what then becomes of it is the caller's. */
async function within<T>(
  patienceMs: number,
  work: Promise<T>,
  clock: Pick<Clock, 'sleep'>,
): Promise<T | 'late'> {
  const ended = new AbortController();
  const patience = clock.sleep(patienceMs, ended.signal).then(() => 'late' as const);
  const outcome = await Promise.race([work.finally(() => ended.abort()), patience]);
  return ended.signal.aborted ? work : outcome;
}
