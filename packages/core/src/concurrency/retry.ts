import { AppError, TransientError } from '../errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Randomness } from '../ports/randomness.ts';

export interface RetryOptions {
  readonly policy: RetryPolicy;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly signal?: AbortSignal | undefined;
  /** No further attempt begins when it would begin later than this after the first, in milliseconds. */
  readonly budgetMs?: number;
  /** Picks, of the errors that a retry may mend, those to retry here; all by default. */
  readonly retryIf?: (error: AppError) => boolean;
  readonly onRetry?: (error: AppError, attempt: number, delayMs: number) => void;
}

/**
 * Calls `work` until it succeeds, fails terminally, or has failed `policy.attemptsMax` times. Waits
 * at least as long as the failing service asked for.
 */
export async function retry<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { policy, clock, randomness, signal, budgetMs = Number.POSITIVE_INFINITY } = options;
  const startedMs = budgetMs === Number.POSITIVE_INFINITY ? 0 : clock.nowMs();
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const isLast = attempt >= policy.attemptsMax || signal?.aborted === true;
      if (!(error instanceof AppError) || !error.retryable || isLast) throw error;
      if (options.retryIf?.(error) === false) throw error;
      const delayMs = Math.max(
        error.retryAfterMs ?? 0,
        retryDelayMs(policy, attempt, randomness.fraction()),
      );
      if (budgetMs !== Number.POSITIVE_INFINITY) {
        if (clock.nowMs() + delayMs - startedMs > budgetMs) throw error;
      }
      options.onRetry?.(error, attempt, delayMs);
      await clock.sleep(delayMs, signal);
    }
  }
}

export interface RetryPolicy {
  readonly attemptsMax: number;
  readonly delayMsMin: number;
  readonly delayMsMax: number;
}

/**
 * Returns how long to wait after the `attempt`-th failure (the first is 1), in milliseconds: exponential, with
 * full jitter, so that many who failed together do not return together.
 */
export function retryDelayMs(policy: RetryPolicy, attempt: number, fraction: number): number {
  const ceiling = Math.min(policy.delayMsMax, policy.delayMsMin * 2 ** (attempt - 1));
  return Math.round(policy.delayMsMin / 2 + fraction * (ceiling - policy.delayMsMin / 2));
}

/** Says that someone else has written to what was read, so that nothing was written. */
export interface Contended {
  /** Says what it was, as the subject of a sentence. */
  readonly contended: string;
}

export interface ContentionOptions {
  readonly attemptsMax: number;
  /** Says what whoever reads the error can do, as sentences. */
  readonly remedy?: string;
}

/**
 * Reads, decides and writes under an ETag until nobody else has written meanwhile, and returns what the last
 * attempt has. Throws `WRITE_CONTENDED` after `attemptsMax`. There is no pause between them: each begins with
 * a read, which takes as long as another's write, and of those that meet one has always got on.
 */
export async function untilUncontended<T>(
  attempt: (count: number) => Promise<T | Contended>,
  { attemptsMax, remedy }: ContentionOptions,
): Promise<T> {
  for (let count = 1; ; count += 1) {
    const outcome = await attempt(count);
    if (!isContended(outcome)) return outcome;
    if (count < attemptsMax) continue;
    const happened = `${outcome.contended} changed ${attemptsMax} times under us.`;
    throw new TransientError('WRITE_CONTENDED', remedy ? `${happened} ${remedy}` : happened);
  }
}

function isContended(outcome: unknown): outcome is Contended {
  return typeof outcome === 'object' && outcome !== null && 'contended' in outcome;
}
