import type { Logger } from './logger.ts';
import type { Shutdown } from './shutdown.ts';

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
