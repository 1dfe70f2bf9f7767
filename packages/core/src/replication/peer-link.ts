import type { ChangePublisher, OutboundMessage } from '../ports/change-publisher.ts';
import type { Clock } from '../ports/clock.ts';
import type { Randomness } from '../ports/randomness.ts';
import { AppError } from '../errors.ts';
import { retryDelayMs, type RetryPolicy } from '../retry/retry-policy.ts';
import { PACK_WIRE_VERSION } from './change-set-pack.ts';
import { WIRE_VERSION } from './encode-change-set.ts';

export type PublishOutcome = 'accepted' | 'peer-down';

/** A publisher that, after a failure, is not asked again until its backoff is over. */
export interface PeerLink {
  readonly peer: string;
  /** Every replicator of the peer reads packs of change sets. */
  readonly readsPacks: boolean;
  /** False while the backoff of the last failure runs. */
  isOpen(): boolean;
  /** True when the last attempt, if any, was accepted. */
  isReachable(): boolean;
  /** Throws only terminal errors: a peer that is down is an outcome. */
  publish(messages: readonly OutboundMessage[]): Promise<PublishOutcome>;
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

export function createPeerLink(options: PeerLinkOptions): PeerLink {
  const { publisher, clock, randomness } = options;
  let failures = 0;
  let closedUntilMs = 0;

  const isOpen = (): boolean => {
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

  return {
    peer: publisher.peer,
    readsPacks: (options.wireVersion ?? WIRE_VERSION) >= PACK_WIRE_VERSION,
    isOpen,
    isReachable: () => failures === 0,
    async publish(messages) {
      if (!isOpen()) return 'peer-down';
      try {
        await publisher.publish(messages);
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        // A queue that is missing or refuses us is mended by an operator while we keep trying.
        if (!error.retryable && error.code === 'MESSAGE_TOO_LARGE') throw error;
        noteFailure(error);
        return 'peer-down';
      }
      if (failures > 0) options.onUp?.(publisher.peer);
      failures = 0;
      return 'accepted';
    },
  };
}
