import type { Clock } from '@tandem/core';
import type { Logger } from './logger.ts';

/** The part of a Fastify instance that is needed. */
export interface ClosableServer {
  readonly server: { closeAllConnections(): void };
  close(): PromiseLike<unknown>;
}

interface CloseServerOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long the requests that run may take, in milliseconds. */
  readonly graceMs: number;
}

/**
 * Stops accepting at once, closes what is idle, and waits for the requests that run. Those that are
 * still running after `graceMs` lose their connection.
 */
export async function closeServer(
  app: ClosableServer,
  { clock, logger, graceMs }: CloseServerOptions,
): Promise<void> {
  const closed = new AbortController();
  const closing = Promise.resolve(app.close()).finally(() => closed.abort());
  await clock.sleep(graceMs, closed.signal);
  if (!closed.signal.aborted) {
    logger.warn({ event: 'requests-cut-off', graceMs }, 'Some requests took too long to finish.');
    app.server.closeAllConnections();
  }
  await closing;
}
