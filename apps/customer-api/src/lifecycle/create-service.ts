import type { Clock, Randomness } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { createRegion, createRegionService, openRegionStore, type Region } from '@tandem/region';
import { createRandomIds, type PinoLogger, type Service } from '@tandem/service-kit';
import { createTokenVerifier } from '@tandem/service-kit/tokens';
import {
  createHttpTelemetry,
  createTraceScope,
  TELEMETRY_OFF,
  type Telemetry,
} from '@tandem/telemetry';
import type { FastifyInstance } from 'fastify';
import { type AppOptions, createApp } from '../app.ts';
import type { Config } from '../config.ts';
import { createCustomerService } from '../customers/customer-service.ts';
import { EVENT_LOOP_DELAY_MS_MAX } from '../http/limits.ts';
import { SCOPES } from '../plugins/auth.ts';

export interface ServiceOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly logger: PinoLogger;
  readonly telemetry?: Telemetry;
}

/** The tables that this API serves; the replicator beside it has the duties. */
const TABLES = { customers: customerKind } as const;

/** Makes the service, which opens its region once it is told to, and answers that it is not ready until then. */
export async function createService(options: ServiceOptions): Promise<Service> {
  const { config, clock, logger, telemetry = TELEMETRY_OFF } = options;
  const scope = createTraceScope();
  const { tracer } = telemetry;
  const region = createRegion({
    ...options,
    region: config.region,
    store: openRegionStore(config),
    tables: TABLES,
    environment: config.environment,
    tracing: { tracer, traceOf: tracer && (() => scope.traceparent()) },
  });
  const app = await createServiceApp(options, region, createHttpTelemetry(telemetry, scope));
  return createRegionService({ region, app, clock, logger, telemetry });
}

function createServiceApp(
  { config, logger, randomness }: ServiceOptions,
  region: Region<typeof TABLES>,
  observe: AppOptions['observe'],
): Promise<FastifyInstance> {
  if (config.auth === undefined) {
    const line = { event: 'no-authentication', host: config.listen.host };
    logger.warn(line, 'No token is asked for: whoever reaches this address reads and writes.');
  }
  return createApp({
    region: config.region,
    customers: createCustomerService({
      customers: () => region.tables.customers,
      randomness,
      isPreconditionRequired: () => region.setting('Api.Preconditions') === 'required',
    }),
    readiness: () => region.readiness(),
    serving: () => region.serving(),
    verifyToken: config.auth && createTokenVerifier({ ...config.auth, scopes: SCOPES }),
    judgeRequest: config.judgeRequest,
    eventLoopDelayMsMax: EVENT_LOOP_DELAY_MS_MAX,
    requestsPerMinuteMax: config.requestsPerMinuteMax,
    logger,
    observe,
    newRequestId: createRandomIds(),
  });
}
