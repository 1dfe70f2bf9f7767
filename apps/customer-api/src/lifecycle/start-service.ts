import type { AddressInfo } from 'node:net';
import { type Clock, type Randomness, type TableStore, TransientError } from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { createQuietLogger, openRegion, openStore, retryOpening } from '@tandem/region-kit';
import {
  createRandomIds,
  createShutdown,
  type Logger,
  type PinoLogger,
  type Shutdown,
} from '@tandem/service-kit';
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
import type { CustomerService } from '../customers/customer-service.ts';
import { createProcessReadiness, createServing } from '../health/process-readiness.ts';
import { EVENT_LOOP_DELAY_MS_MAX } from '../http/limits.ts';
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
    const opened = await openRegion({
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

/**
 * The customers of a region whose tables and settings may not have been read yet: until then every
 * call throws `TABLE_UNAVAILABLE`, so a process that starts during an outage is up, and says so.
 */
function createOpeningCustomers(opened: () => CustomerService | undefined): CustomerService {
  const customers = (): CustomerService => {
    const service = opened();
    if (service !== undefined) return service;
    throw new TransientError('TABLE_UNAVAILABLE', 'The tables of this region are not open yet.');
  };
  return {
    create: (customer, key) => customers().create(customer, key),
    get: (customerId) => customers().get(customerId),
    put: (customerId, customer, condition) => customers().put(customerId, customer, condition),
    patch: (customerId, changes, condition) => customers().patch(customerId, changes, condition),
    remove: (customerId, condition) => customers().remove(customerId, condition),
    list: (limit, cursor, filter) => customers().list(limit, cursor, filter),
    history: (customerId, limit, cursor) => customers().history(customerId, limit, cursor),
    reach: (customerId, least, wait) => customers().reach(customerId, least, wait),
    acknowledgementOf: (version, asked) => customers().acknowledgementOf(version, asked),
    receiptFor: (customerId, version) => customers().receiptFor(customerId, version),
    readReceipt: (customerId, receipt) => customers().readReceipt(customerId, receipt),
    whereApplied: (customerId, receipt, wait) =>
      customers().whereApplied(customerId, receipt, wait),
    isPreconditionRequired: () => customers().isPreconditionRequired(),
  };
}
