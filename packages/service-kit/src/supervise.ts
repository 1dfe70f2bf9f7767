import { AppError, type Clock, type Randomness, retryDelayMs } from '@tandem/core';
import type { Logger } from './logger.ts';

export interface SuperviseOptions {
  /** Names the loop in the log and in health: `relay`, `apply`, `sweep`. */
  readonly name: string;
  /** One round of the loop. It must wait for something itself, and end soon after an abort. */
  readonly work: (signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** How long to wait after failures that follow on each other. */
  readonly policy: { readonly delayMsMin: number; readonly delayMsMax: number };
}

export interface LoopHealth {
  readonly name: string;
  readonly isRunning: boolean;
  /** When a round last ended well, in milliseconds since the epoch. */
  readonly lastSuccessMs: number | undefined;
  /** Stays as the latest failure was, also when the loop has recovered since. */
  readonly lastError: unknown;
  readonly lastFailureMs: number | undefined;
  readonly roundCount: number;
  readonly failureCount: number;
  /** 0 while all is well. */
  readonly consecutiveFailureCount: number;
}

export interface SupervisedLoop {
  /** Resolves when the loop has stopped after an abort. Never rejects. */
  readonly stopped: Promise<void>;
  health(): LoopHealth;
}

/**
 * Runs `work` round after round until the signal aborts. A round that fails is logged and followed
 * by a wait that grows with the number of failures in a row, up to `delayMsMax`, with jitter. Nothing
 * that `work` throws ends the loop or the process.
 */
export function superviseLoop(options: SuperviseOptions): SupervisedLoop {
  const health = {
    name: options.name,
    isRunning: true,
    lastSuccessMs: undefined as number | undefined,
    lastError: undefined as unknown,
    lastFailureMs: undefined as number | undefined,
    roundCount: 0,
    failureCount: 0,
    consecutiveFailureCount: 0,
  };
  const run = async (): Promise<void> => {
    while (!options.signal.aborted) await runRound(options, health);
    health.isRunning = false;
    options.logger.info({ event: 'loop-stopped', loop: options.name }, 'A loop has stopped.');
  };
  return { stopped: run(), health: () => ({ ...health }) };
}

type MutableHealth = { -readonly [Key in keyof LoopHealth]: LoopHealth[Key] };

async function runRound(options: SuperviseOptions, health: MutableHealth): Promise<void> {
  const { clock, logger, signal, name } = options;
  health.roundCount += 1;
  try {
    await options.work(signal);
  } catch (error) {
    // What fails because it was told to stop has not failed.
    if (signal.aborted) return;
    const delayMs = noteFailure(error, options, health);
    await clock.sleep(delayMs, signal);
    return;
  }
  health.lastSuccessMs = clock.nowMs();
  if (health.consecutiveFailureCount === 0) return;
  const failures = health.consecutiveFailureCount;
  health.consecutiveFailureCount = 0;
  logger.info({ event: 'loop-recovered', loop: name, failures }, 'A loop works again.');
}

function noteFailure(error: unknown, options: SuperviseOptions, health: MutableHealth): number {
  const { clock, logger, randomness, policy, name } = options;
  health.failureCount += 1;
  health.consecutiveFailureCount += 1;
  health.lastError = error;
  health.lastFailureMs = clock.nowMs();
  const attempt = health.consecutiveFailureCount;
  const backoffMs = retryDelayMs(
    { ...policy, attemptsMax: attempt },
    attempt,
    randomness.fraction(),
  );
  const askedMs = error instanceof AppError ? (error.retryAfterMs ?? 0) : 0;
  const delayMs = Math.min(policy.delayMsMax, Math.max(backoffMs, askedMs));
  const fields = { event: 'loop-failed', loop: name, failures: attempt, delayMs, error };
  const message = 'A round of a loop failed and will be repeated.';
  if (error instanceof AppError && error.retryable) logger.warn(fields, message);
  else logger.error(fields, message);
  return delayMs;
}
