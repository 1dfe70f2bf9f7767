import type { Clock, Randomness, TableStore } from '@tandem/core';
import {
  createProcessReadiness,
  createQuietLogger,
  createServing,
  openRegionStore,
  prepareRegion,
  retryOpening,
} from '@tandem/region';
import { createRandomIds, type Logger, type PinoLogger, type Service } from '@tandem/service-kit';
import {
  createHttpTelemetry,
  createTraceScope,
  type Meter,
  measureNotices,
  TELEMETRY_OFF,
  type Telemetry,
} from '@tandem/telemetry';
import type { FastifyInstance } from 'fastify';
import { type AppOptions, createApp } from '../app.ts';
import { createTokenVerifier } from '../auth/token-verifier.ts';
import { type Composition, compose, KINDS, type Tracing } from '../composition.ts';
import type { Config } from '../config.ts';
import { type CustomerService, createOpeningCustomers } from '../customers/customer-service.ts';
import { EVENT_LOOP_DELAY_MS_MAX } from '../http/limits.ts';
import { closeSteps, drainSteps } from './shutdown-steps.ts';

export interface ServiceOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly logger: PinoLogger;
  readonly telemetry?: Telemetry;
}

/** Makes the service, which opens its region once it is told to, and answers that it is not ready until then. */
export async function createService(options: ServiceOptions): Promise<Service> {
  const { config, clock, logger, telemetry = TELEMETRY_OFF } = options;
  const stopping = new AbortController();
  let composition: Composition | undefined;
  const scope = createTraceScope();
  const { tracer } = telemetry;
  const tracing = { tracer, traceOf: tracer && (() => scope.traceparent()) };
  const customers = createOpeningCustomers();
  const state = { composition: () => composition, stopping: stopping.signal };
  const app = await createServiceApp(options, {
    ...state,
    customers,
    observe: createHttpTelemetry(telemetry, scope),
  });
  if (telemetry.meter !== undefined) {
    measureApi(telemetry.meter, state);
    measureNotices(telemetry.meter, () => composition?.notices);
  }
  const stop = { app, stopping, composition: () => composition, clock, logger, telemetry };
  return {
    async open() {
      const store = openRegionStore(config);
      composition = await openService({ ...options, store, stopping: stopping.signal, tracing });
      if (composition !== undefined) customers.open(composition.customers);
      return undefined;
    },
    app,
    facts: { metricsPort: telemetry.metricsPort },
    drain: drainSteps(stop),
    close: closeSteps(stop),
  };
}

interface ServiceState {
  readonly composition: () => Composition | undefined;
  readonly customers: CustomerService;
  readonly stopping: AbortSignal;
  readonly observe: AppOptions['observe'];
}

function createServiceApp(
  { config, logger }: ServiceOptions,
  { composition, customers, stopping, observe }: ServiceState,
): Promise<FastifyInstance> {
  if (config.auth === undefined) {
    const line = { event: 'no-authentication', host: config.listen.host };
    logger.warn(line, 'No token is asked for: whoever reaches this address reads and writes.');
  }
  const state = { region: () => composition()?.readiness, stopping };
  return createApp({
    region: config.region,
    customers,
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

interface OpenServiceOptions {
  readonly config: Config;
  readonly store: TableStore;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly logger: Logger;
  readonly stopping: AbortSignal;
  readonly tracing: Tracing;
}

const SETTINGS_AGE_MS_MAX = 30_000;
const REPEATED_LINE_MS = 60_000;
const LINES_PER_EVENT_MAX = 10;

/**
 * Opens the region, however long its storage account is down, and makes what serves it. Resolves to
 * undefined when the process stops first. Throws `CONFIGURATION_INVALID`.
 */
async function openService(options: OpenServiceOptions): Promise<Composition | undefined> {
  const { config, store, clock, randomness, stopping, tracing } = options;
  const { region, environment } = config;
  const logger = createQuietLogger({
    logger: options.logger,
    clock,
    windowMs: REPEATED_LINE_MS,
    linesPerEventMax: LINES_PER_EVENT_MAX,
  });
  const open = async (): Promise<Composition> => {
    const opened = await prepareRegion({
      region,
      store,
      kinds: KINDS,
      clock,
      environment,
      refreshMs: SETTINGS_AGE_MS_MAX,
      onRefreshFailed: (error) =>
        logger.warn({ event: 'settings-not-refreshed', error }, 'Settings stay as they were.'),
    });
    return compose({ region, clock, randomness, logger, store, opened, stopping, tracing });
  };
  return retryOpening(open, { clock, randomness, logger, signal: stopping });
}

interface ApiState {
  /** Undefined until the region is opened. */
  readonly composition: () => Pick<Composition, 'readiness' | 'relayQueue'> | undefined;
  readonly stopping: AbortSignal;
}

/** What only this process knows of itself, looked at whenever someone asks. */
function measureApi(meter: Meter, { composition, stopping }: ApiState): void {
  meter
    .createObservableGauge('tandem.region.ready', {
      unit: '1',
      description: 'Whether the region may take traffic, as this process sees it.',
    })
    .addCallback(async (result) => {
      const readiness = stopping.aborted ? undefined : await composition()?.readiness();
      result.observe(readiness?.kind === 'ready' ? 1 : 0);
    });
  meter
    .createObservableGauge('tandem.relay.queue.length', {
      unit: '{change_set}',
      description: 'Change sets that wait in this process to be sent; the outbox holds them too.',
    })
    .addCallback((result) => result.observe(composition()?.relayQueue.length ?? 0));
}
