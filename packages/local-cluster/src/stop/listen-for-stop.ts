/** One Ctrl-C may arrive several times: from the terminal, and from each parent that passes it on. */
const SAME_SIGNAL_MS = 1_000;

const EXIT_INTERRUPTED = 130;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface StopSignal {
  /** Is aborted by the first SIGINT, SIGTERM or SIGHUP; the reason is the signal's name. */
  readonly signal: AbortSignal;
  /** Stops listening: the signals do again what they did before. */
  release(): void;
}

/**
 * Turns the signals that ask a program to stop into an abort. A Ctrl-C after that exits at once
 * with 130; the processes of a cluster then end by themselves.
 */
export function listenForStop(): StopSignal {
  const controller = new AbortController();
  let firstMs = Number.POSITIVE_INFINITY;
  const stop = (name: NodeJS.Signals): void => {
    const isAgain = performance.now() - firstMs > SAME_SIGNAL_MS;
    if (name === 'SIGINT' && isAgain) process.exit(EXIT_INTERRUPTED);
    if (controller.signal.aborted) return;
    firstMs = performance.now();
    controller.abort(name);
  };
  for (const name of SIGNALS) process.on(name, stop);
  return {
    signal: controller.signal,
    release() {
      for (const name of SIGNALS) process.off(name, stop);
    },
  };
}
