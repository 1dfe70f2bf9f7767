import { isIP } from 'node:net';
import type { Clock, Randomness } from '@tandem/core';
import {
  createRegion,
  createRegionService,
  openRegionStore,
  type ProcessReadiness,
  type Region,
  readinessAnswerOf,
} from '@tandem/region';
import { createRandomIds, type PinoLogger, type Service } from '@tandem/service-kit';
import { createTokenVerifier } from '@tandem/service-kit/tokens';
import { type AccountKeys, accountNamedBy, type UrlStyle } from '@tandem/table-protocol';
import {
  createHttpTelemetry,
  createTraceScope,
  type Meter,
  TELEMETRY_OFF,
  type Telemetry,
} from '@tandem/telemetry';
import { type AppOptions, createApp, type ProbeAnswer } from './app.ts';
import type { Config } from './config.ts';
import { createEndpoint, type Endpoint, TOKEN_SCOPES } from './endpoint.ts';
import { createRegionServedTables } from './region-tables.ts';
import { createRequestBodies, type RequestBodies } from './request-bodies.ts';

export interface ServiceOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly logger: PinoLogger;
  readonly telemetry?: Telemetry;
}

/** All its tables are those of the catalogue. */
const TABLES = {} as const;
type OwnRegion = Region<typeof TABLES>;
/** The mean over a second, in milliseconds, beyond which requests are refused. */
const EVENT_LOOP_DELAY_MS_MAX = 1_000;

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
  const bodies = createRequestBodies(config.bodiesBytesMax);
  if (telemetry.meter !== undefined) measureBodies(telemetry.meter, bodies);
  const app = createApp({
    endpoint: openEndpoint(options, region),
    logger,
    probes: probesOf(config.region, region),
    trustedProxies: config.trustedProxies,
    isHttps: config.isHttps,
    bodies,
    eventLoopDelayMsMax: EVENT_LOOP_DELAY_MS_MAX,
    observe: createHttpTelemetry(telemetry, scope),
  });
  return createRegionService({
    region,
    app,
    clock,
    logger,
    telemetry,
    facts: { accounts: config.accounts.map(({ account }) => account) },
  });
}

function measureBodies(meter: Meter, bodies: RequestBodies): void {
  meter
    .createObservableGauge('tandem.request.bodies.used', {
      unit: '1',
      description: 'What the bodies of requests under way hold, as a share of what they may.',
    })
    .addCallback((result) => result.observe(bodies.heldBytes / bodies.bytesMax));
}

function openEndpoint({ config, clock, logger }: ServiceOptions, region: OwnRegion): Endpoint {
  const { accounts, auth } = config;
  if (accounts.length === 0) {
    const line = { event: 'no-account' };
    logger.warn(line, 'No account is configured: every request is refused. Set TABLE_ACCOUNTS.');
  }
  return createEndpoint({
    tables: createRegionServedTables(region),
    accounts,
    styleOf: styleOfHosts(accounts),
    judgeRequest: config.judgeRequest,
    verifyToken: auth && createTokenVerifier({ ...auth, scopes: TOKEN_SCOPES }),
    challenge: auth && `Bearer authorization_uri=${auth.issuer} resource_id=${auth.audience}`,
    nowMs: () => clock.nowMs(),
    newRequestId: createRandomIds(),
    onFailure: (error, requestId) =>
      logger.error({ event: 'request-failed', requestId, error }, 'A request could not be served.'),
  });
}

/**
 * Returns what finds the account in a host: its first label where that is one of the accounts, as in
 * `shop.tables.example.com`. Under every other name, and under addresses, the path begins with the account.
 */
export function styleOfHosts(accounts: readonly AccountKeys[]): (host: string) => UrlStyle {
  const names = new Set(accounts.map(({ account }) => account));
  return (host) => {
    const name = host.replace(/:\d+$/, '').toLowerCase();
    const dot = name.indexOf('.');
    if (dot < 0 || isIP(name) !== 0) return {};
    const named = accountNamedBy(name.slice(0, dot));
    return names.has(named.account) ? named : {};
  };
}

const READY = 200;
const NOT_READY = 503;

/** The same questions as the customer API is asked, with the same answers. */
function probesOf(name: string, region: OwnRegion): NonNullable<AppOptions['probes']> {
  const answer = (readiness: ProcessReadiness): ProbeAnswer => ({
    status: readiness.kind === 'ready' ? READY : NOT_READY,
    body: readinessAnswerOf(name, readiness),
  });
  const ready = async (): Promise<ProbeAnswer> => answer(await region.readiness());
  return {
    '/health/live': async () => ({ status: READY, body: { status: 'live', region: name } }),
    '/health/ready': ready,
    '/health/serving': async () => answer(region.serving()),
    '/health': ready,
  };
}
