import type { Clock } from '@tandem/core';
import type { Logger, PinoLogger, ShutdownStep } from '@tandem/service-kit';
import type { Telemetry } from '@tandem/telemetry';
import type { FastifyInstance } from 'fastify';
import type { Composition } from '../composition.ts';

export interface ShutdownStepsOptions {
  readonly app: FastifyInstance;
  readonly stopping: AbortController;
  /** Undefined when the region was never opened. */
  readonly composition: () => Composition | undefined;
  readonly clock: Clock;
  readonly logger: Logger & Pick<PinoLogger, 'flush'>;
  readonly telemetry: Pick<Telemetry, 'stop'>;
}

/** A step that waits gives up before its deadline, in order to say what it leaves undone. */
const PATIENCE = 0.8;

/** Returns what lets the work under way finish, in order. */
export function drainSteps(options: ShutdownStepsOptions): readonly ShutdownStep[] {
  const { app, stopping, composition, clock, logger } = options;
  const graceOf = (deadlineMs: number): number => Math.floor(deadlineMs * PATIENCE);
  return [
    { name: 'turn readiness red', run: () => stopping.abort() },
    {
      name: 'stop accepting and finish what runs',
      run: (deadlineMs) => closeServer(app, { clock, logger, graceMs: graceOf(deadlineMs) }),
    },
    {
      name: 'drain the relay',
      run: (deadlineMs) => composition()?.relayQueue.drain(clock.sleep(graceOf(deadlineMs))),
    },
  ];
}

/** Returns what closes the connections. The tables need no closing: nothing is held there. */
export function closeSteps(options: ShutdownStepsOptions): readonly ShutdownStep[] {
  const { composition, telemetry, logger } = options;
  return [
    {
      name: 'close the senders',
      run: async () => {
        const publishers = composition()?.publishers ?? [];
        await Promise.all(publishers.map((publisher) => publisher.close()));
      },
    },
    { name: 'send the last telemetry', run: () => telemetry.stop() },
    { name: 'flush the log', run: () => logger.flush() },
  ];
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
  app: FastifyInstance,
  { clock, logger, graceMs }: CloseServerOptions,
): Promise<void> {
  const closed = new AbortController();
  const closing = app.close().finally(() => closed.abort());
  await clock.sleep(graceMs, closed.signal);
  if (!closed.signal.aborted) {
    logger.warn({ event: 'requests-cut-off', graceMs }, 'Some requests took too long to finish.');
    app.server.closeAllConnections();
  }
  await closing;
}
