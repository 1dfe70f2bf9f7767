import type { Logger } from './logger.ts';
import type { Shutdown } from './shutdown.ts';

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

const EXIT_CODE_FAILED = 1;

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
