import { AppError, type Clock, type Randomness, retryDelayMs } from '@tandem/core';
import type { Logger } from '@tandem/service-kit';

export interface RetryOpeningOptions {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

const POLICY = { delayMsMin: 200, delayMsMax: 5_000 };
/** Beyond it the delay no longer grows. */
const ATTEMPTS_COUNTED_MAX = 20;

/**
 * Calls `open` until it succeeds, so that a process outlives a store that is down when it starts.
 * Also goes on after terminal errors, such as a right that is not granted yet, which an operator
 * mends meanwhile; only `CONFIGURATION_INVALID` is thrown, since a person must read it. Resolves to
 * undefined when the signal aborts.
 */
export async function retryOpening<T>(
  open: () => Promise<T>,
  { clock, randomness, logger, signal }: RetryOpeningOptions,
): Promise<T | undefined> {
  for (let attempt = 1; !signal.aborted; attempt += 1) {
    try {
      return await open();
    } catch (error) {
      if (!(error instanceof AppError) || error.code === 'CONFIGURATION_INVALID') throw error;
      const counted = Math.min(attempt, ATTEMPTS_COUNTED_MAX);
      const policy = { ...POLICY, attemptsMax: counted };
      const delayMs = retryDelayMs(policy, counted, randomness.fraction());
      logger.warn(
        { event: 'region-not-opened', attempt, delayMs, error },
        'The tables and settings of the region cannot be read yet.',
      );
      await clock.sleep(delayMs, signal);
    }
  }
  return undefined;
}
