import type { Clock } from '@tandem/core';
import type { Logger } from './logger.ts';

export interface ShutdownStep {
  /** Says what it does: `stop accepting`, `drain the relay`, `close the senders`. */
  readonly name: string;
  /** Is told how long it may take, in milliseconds, so that it can say before what it leaves undone. */
  readonly run: (deadlineMs: number) => Promise<void> | void;
}

export interface ShutdownOptions {
  readonly logger: Logger;
  readonly clock: Clock;
  /** How long all of it may take, in milliseconds. */
  readonly deadlineMs: number;
  /** Let finish what is under way, in the order in which they run. */
  readonly drain: readonly ShutdownStep[];
  /** Close what was open, after that. */
  readonly close: readonly ShutdownStep[];
}

export interface Shutdown {
  /**
   * Runs every step, one after the other; one that fails or exceeds its deadline does not keep the
   * next from running. Resolves to the exit code: 0 when all steps succeeded, else 1. A second call
   * joins the first. Never rejects.
   */
  run(reason: string): Promise<number>;
}

const EXIT_CODE_FAILED = 1;
/** What is under way is worth more of the time than a socket that will be gone anyway. */
const SHARE_TO_DRAIN = 0.8;

/**
 * Ends a process in order and in time. A step may take its share of what is left: what one does not need,
 * those after it have.
 */
export function createShutdown(options: ShutdownOptions): Shutdown {
  const { logger, clock, deadlineMs, drain, close } = options;
  let running: Promise<number> | undefined;

  const runAll = async (reason: string): Promise<number> => {
    logger.info({ event: 'shutdown-started', reason }, 'The process shuts down.');
    const startedMs = clock.nowMs();
    const late =
      (await runSteps(drain, startedMs + deadlineMs * SHARE_TO_DRAIN, options)) +
      (await runSteps(close, startedMs + deadlineMs, options));
    // Whether the process ends well is not for the steps of its stop to say.
    logger.info({ event: 'shutdown-finished', failedSteps: late }, 'The process has shut down.');
    return late === 0 ? 0 : EXIT_CODE_FAILED;
  };

  return {
    run(reason) {
      running ??= runAll(reason);
      return running;
    },
  };
}

type Surroundings = Pick<ShutdownOptions, 'logger' | 'clock'>;

/** Returns how many of the steps failed or were left behind. */
async function runSteps(
  steps: readonly ShutdownStep[],
  endMs: number,
  surroundings: Surroundings,
): Promise<number> {
  let failed = 0;
  for (const [index, step] of steps.entries()) {
    const leftMs = Math.max(0, endMs - surroundings.clock.nowMs());
    const deadlineMs = Math.floor(leftMs / (steps.length - index));
    if (!(await runStep(step, deadlineMs, surroundings))) failed += 1;
  }
  return failed;
}

async function runStep(
  step: ShutdownStep,
  deadlineMs: number,
  { logger, clock }: Surroundings,
): Promise<boolean> {
  const startedMs = clock.nowMs();
  const finished = new AbortController();
  const work = (async () => {
    await step.run(deadlineMs);
    return 'done' as const;
  })();
  const deadline = clock.sleep(deadlineMs, finished.signal).then(() => 'late' as const);
  try {
    const outcome = await Promise.race([work, deadline]);
    const fields = { step: step.name, durationMs: clock.nowMs() - startedMs, deadlineMs };
    if (outcome === 'done') {
      logger.debug({ event: 'shutdown-step-done', ...fields }, 'A step of the shutdown is done.');
      return true;
    }
    // What it still does is of no interest any more, and must not become an unhandled rejection.
    work.catch(() => undefined);
    logger.error(
      { event: 'shutdown-step-late', ...fields },
      'A step of the shutdown exceeded its deadline and is left behind.',
    );
    return false;
  } catch (error) {
    logger.error(
      { event: 'shutdown-step-failed', step: step.name, error },
      'A step of the shutdown failed.',
    );
    return false;
  } finally {
    finished.abort();
  }
}

/** The part of `process` that is needed, so that a test need not send itself signals. */
export interface SignalSource {
  on(event: 'SIGTERM' | 'SIGINT' | 'disconnect', listener: () => void): unknown;
  exit(code: number): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Present in a process that was forked with a channel to its parent. */
  readonly send?: unknown;
}

export interface InstallSignalsOptions {
  readonly shutdown: Shutdown;
  readonly logger: Logger;
  readonly source: SignalSource;
}

/** Shells give a process that a signal ended 128 and the signal's number. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** Set to 1 by whoever starts processes that must not outlive it. */
const EXIT_WITH_PARENT = 'TANDEM_EXIT_WITH_PARENT';

/**
 * Shuts down and exits on the first SIGTERM or SIGINT; exits at once on the second. With
 * `TANDEM_EXIT_WITH_PARENT=1`, a forked process takes the end of its parent as a SIGTERM.
 */
export function installSignals({ shutdown, logger, source }: InstallSignalsOptions): void {
  let hasBegun = false;

  const stop = (signal: keyof typeof EXIT_CODES, reason: string): void => {
    if (hasBegun) {
      logger.warn({ event: 'shutdown-forced', reason }, 'The process exits without waiting.');
      source.exit(EXIT_CODES[signal]);
      return;
    }
    hasBegun = true;
    void shutdown.run(reason).then((exitCode) => source.exit(exitCode));
  };

  source.on('SIGTERM', () => stop('SIGTERM', 'SIGTERM'));
  source.on('SIGINT', () => stop('SIGINT', 'SIGINT'));
  if (source.env[EXIT_WITH_PARENT] === '1' && source.send !== undefined) {
    source.on('disconnect', () => stop('SIGTERM', 'the parent process has ended'));
  }
}

/** The part of `process` that is needed, so that a test need not fail. */
export interface FailureSource {
  on(
    event: 'unhandledRejection' | 'uncaughtException',
    listener: (failure: unknown) => void,
  ): unknown;
  exit(code: number): void;
}

export interface LastResortOptions {
  readonly logger: Logger;
  readonly shutdown: Shutdown;
  readonly source: FailureSource;
  /**
   * Whether a library has given this failure to nobody though nothing depends on it any more. To be as narrow
   * as it can be: whatever it lets through is a fault that nobody looks into.
   */
  readonly isStray: (failure: unknown) => boolean;
}

/**
 * Takes the failures that nobody owns. A stray one is logged, with a count, and the process goes on. Any other is a
 * fault of this code, and may have left a piece of work standing for good: it is logged, and the process
 * shuts down in order, so that what is in hand is answered, and exits with 1 for a fresh one to take its
 * place. See docs/adr/0023.
 */
export function installLastResort(options: LastResortOptions): void {
  const { logger, shutdown, source, isStray } = options;
  let strays = 0;
  let isEnding = false;

  const take = (failure: unknown): void => {
    if (isStray(failure)) {
      strays += 1;
      const line = { event: 'stray-failure', strays, error: failure };
      logger.warn(line, 'A library has failed at something that nobody waits for.');
      return;
    }
    const line = { event: 'unowned-failure', error: failure };
    logger.error(line, 'Something failed that nobody owns: the process ends in order.');
    if (isEnding) return;
    isEnding = true;
    void shutdown.run('a failure that nobody owns').then(() => source.exit(EXIT_CODE_FAILED));
  };

  source.on('unhandledRejection', take);
  source.on('uncaughtException', take);
}
