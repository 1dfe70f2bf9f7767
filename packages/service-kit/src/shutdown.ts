import type { Clock } from '@tandem/core';
import type { Logger } from './logger.ts';

export interface ShutdownStep {
  /** Says what it does: `stop accepting`, `drain the relay`, `close the senders`. */
  readonly name: string;
  readonly run: () => Promise<void> | void;
  /** Instead of the common deadline. */
  readonly deadlineMs?: number;
}

export interface ShutdownOptions {
  readonly logger: Logger;
  readonly clock: Clock;
  /** How long each step may take, in milliseconds. */
  readonly deadlineMs: number;
  /** In the order in which they run. */
  readonly steps: readonly ShutdownStep[];
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

export function createShutdown(options: ShutdownOptions): Shutdown {
  const { logger, steps } = options;
  let running: Promise<number> | undefined;

  const runAll = async (reason: string): Promise<number> => {
    logger.info({ event: 'shutdown-started', reason }, 'The process shuts down.');
    let failedSteps = 0;
    for (const step of steps) {
      if (!(await runStep(step, options))) failedSteps += 1;
    }
    // Whether the process ends well is not for the steps of its stop to say.
    logger.info({ event: 'shutdown-finished', failedSteps }, 'The process has shut down.');
    return failedSteps === 0 ? 0 : EXIT_CODE_FAILED;
  };

  return {
    run(reason) {
      running ??= runAll(reason);
      return running;
    },
  };
}

async function runStep(step: ShutdownStep, options: ShutdownOptions): Promise<boolean> {
  const { logger, clock } = options;
  const deadlineMs = step.deadlineMs ?? options.deadlineMs;
  const startedMs = clock.nowMs();
  const finished = new AbortController();
  const work = (async () => {
    await step.run();
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
