import type { Clock, Randomness, TableStore } from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { openStore } from '@tandem/region-kit';
import {
  createRandomIds,
  createShutdown,
  type PinoLogger,
  type Shutdown,
} from '@tandem/service-kit';
import type { FastifyInstance } from 'fastify';
import type { AddressInfo } from 'node:net';
import {
  createHttpTelemetry,
  createTraceScope,
  TELEMETRY_OFF,
  type Telemetry,
  measureNotices,
} from '@tandem/telemetry';
import { type AppOptions, createApp } from '../app.ts';
import type { Composition } from '../composition.ts';
import type { Config } from '../config.ts';
import { createTokenVerifier } from '../auth/token-verifier.ts';
import { EVENT_LOOP_DELAY_MS_MAX } from '../http/limits.ts';
import { createOpeningCustomers } from '../customers/opening-customers.ts';
import { createProcessReadiness, createServing } from '../health/process-readiness.ts';
import { measureApi } from '../health/api-metrics.ts';
import { openService } from './open-service.ts';
import { shutdownSteps } from './shutdown-steps.ts';

export interface StartServiceOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly logger: PinoLogger;
  /** Called before anything is opened: from then on the service can be stopped. */
  readonly onStoppable?: (shutdown: Shutdown) => void;
  readonly telemetry?: Telemetry;
}

export interface Service {
  readonly port: number;
  readonly shutdown: Shutdown;
  /**
   * Resolves once the region is opened, or the service stops before. Rejects with
   * `CONFIGURATION_INVALID`.
   */
  readonly opened: Promise<void>;
}

/** Wrong settings fail the start when the account answers within this time. */
const OPEN_BEFORE_LISTENING_MS = 5_000;

/**
 * Opens the region and listens. While the storage account is down it listens all the same, and says
 * that it is not ready. Throws `CONFIGURATION_INVALID`, and what listening throws.
 */
export async function startService(options: StartServiceOptions): Promise<Service> {
  const { config, clock, logger, telemetry = TELEMETRY_OFF } = options;
  const store = storeOf(config);
  const stopping = new AbortController();
  let composition: Composition | undefined;
  const scope = createTraceScope();
  const { tracer } = telemetry;
  const tracing = { tracer, traceOf: tracer && (() => scope.traceparent()) };
  const state = { composition: () => composition, stopping: stopping.signal };
  const app = await createServiceApp(options, {
    ...state,
    observe: createHttpTelemetry(telemetry, scope),
  });
  if (telemetry.meter !== undefined) {
    measureApi(telemetry.meter, state);
    measureNotices(telemetry.meter, () => composition?.notices);
  }
  const stepMs = config.shutdownStepMs;
  const stop = { app, stopping, composition: () => composition, clock, logger, stepMs, telemetry };
  const steps = shutdownSteps(stop);
  const shutdown = createShutdown({ logger, clock, deadlineMs: stepMs, steps });
  options.onStoppable?.(shutdown);

  const open = async (): Promise<void> => {
    composition = await openService({ ...options, store, stopping: stopping.signal, tracing });
  };
  try {
    const opened = open();
    await settledWithin(opened, clock);
    return { port: await listen(app, options), shutdown, opened };
  } catch (error) {
    await shutdown.run('the start has failed');
    throw error;
  }
}

function storeOf({ storageConnection }: Config): TableStore {
  return storageConnection === undefined ? createMemoryTableStore() : openStore(storageConnection);
}

interface ServiceState {
  readonly composition: () => Composition | undefined;
  readonly stopping: AbortSignal;
  readonly observe: AppOptions['observe'];
}

function createServiceApp(
  { config, logger }: StartServiceOptions,
  { composition, stopping, observe }: ServiceState,
): Promise<FastifyInstance> {
  const state = { region: () => composition()?.readiness, stopping };
  return createApp({
    region: config.region,
    customers: createOpeningCustomers(() => composition()?.customers),
    readiness: createProcessReadiness(state),
    serving: createServing(state),
    verifyToken: config.auth === undefined ? undefined : createTokenVerifier(config.auth),
    judgeRequest: config.judgeRequest,
    eventLoopDelayMsMax: EVENT_LOOP_DELAY_MS_MAX,
    requestsPerMinuteMax: config.requestsPerMinuteMax,
    logger,
    observe,
    newRequestId: createRandomIds(),
  });
}

async function settledWithin(opened: Promise<void>, clock: Clock): Promise<void> {
  const settled = new AbortController();
  try {
    await Promise.race([opened, clock.sleep(OPEN_BEFORE_LISTENING_MS, settled.signal)]);
  } finally {
    settled.abort();
  }
}

async function listen(
  app: FastifyInstance,
  { config, logger, telemetry }: StartServiceOptions,
): Promise<number> {
  const { host, port } = config.listen;
  await app.listen({ host, port, listenTextResolver: () => 'The server listens.' });
  const { port: bound } = app.server.address() as AddressInfo;
  if (config.auth === undefined) {
    const line = { event: 'no-authentication', host };
    logger.warn(line, 'No token is asked for: whoever reaches this address reads and writes.');
  }
  const metricsPort = telemetry?.metricsPort;
  logger.info({ event: 'ready', host, port: bound, metricsPort }, 'The customer API listens.');
  return bound;
}
