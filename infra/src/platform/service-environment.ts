import type { ManagedEnvironment } from '@pulumi/azure-native/app/index.js';
import type { Region } from '../region/build-region.ts';
import { imageTagOf } from '../region/region-context.ts';
import type { ImageRegistry } from '../registry.ts';

/** What an app or a job of a region is made with. */
export interface AppOptions {
  readonly own: Region;
  readonly regions: readonly Region[];
  readonly images: ImageRegistry;
  readonly environment: ManagedEnvironment;
}

export interface ServicePlan {
  readonly service: 'customer-api' | 'replicator';
  readonly port: number;
  readonly shutdownDeadlineMs: number;
}

/** The environment of a service where no chart makes it: what it needs to find its region's table Configuration. */
export function serviceEnvironment(
  own: Region,
  plan: ServicePlan,
): Readonly<Record<string, string>> {
  const { auth } = own.context.settings;
  const { logLevel = 'info' } = own.context.region;
  return {
    REGION_ID: own.context.region.name,
    STORAGE_CONNECTION: own.data.accountUrl,
    HOST: '0.0.0.0',
    PORT: String(plan.port),
    LOG_LEVEL: logLevel,
    SHUTDOWN_DEADLINE_MS: String(plan.shutdownDeadlineMs),
    ...(plan.service === 'customer-api'
      ? { AUTH_ISSUER: auth.issuer, AUTH_AUDIENCE: auth.audience }
      : {}),
    ...telemetryEnvironment(own),
  };
}

/** As the chart gives it. */
function telemetryEnvironment({ context }: Region): Readonly<Record<string, string>> {
  const { otlp } = context.settings;
  if (otlp === undefined) return {};
  return {
    OTEL_EXPORTER_OTLP_ENDPOINT: otlp.endpoint,
    OTEL_TRACES_EXPORTER: 'otlp',
    OTEL_TRACES_SAMPLER: 'traceidratio',
    OTEL_TRACES_SAMPLER_ARG: String(otlp.sampledShare),
    OTEL_METRICS_EXPORTER: 'otlp',
  };
}

/**
 * What `tandem config release` writes into that table, and how it finds it. As in helm/, what follows from the list of regions is
 * given, and two regions have the form for two.
 */
export function settingsEnvironment(
  own: Region,
  regions: readonly Region[],
): Readonly<Record<string, string>> {
  const { context, data } = own;
  const { queue } = context.settings;
  const { name, wireVersion } = context.region;
  const peers = regions
    .filter((region) => region !== own)
    .map((peer) => ({
      region: peer.context.region.name,
      connection: peer.data.namespaceHost,
      queue,
    }));
  const [only, second] = peers;
  return {
    TANDEM_REGIONS: JSON.stringify({ version: 1, regions: [{ name, storage: data.accountUrl }] }),
    TANDEM_RELEASE: `of the stack, ${imageTagOf(context)}`,
    CUSTOMER_DATA_ACCESS: 'multi-region',
    CUSTOMER_QUEUE: queue,
    SERVICE_BUS_CONNECTION: data.namespaceHost,
    ...(only !== undefined && second === undefined
      ? { PEER_REGION: only.region, REDUNDANCY_SERVICE_BUS_CONNECTION: only.connection }
      : { PEERS: JSON.stringify(peers) }),
    ...(wireVersion !== undefined && { MESSAGES_WIRE_VERSION: String(wireVersion) }),
  };
}

/** Where all regions are, as `tandem` reads it. */
export function inventoryOf(regions: readonly Region[]): object {
  const entries = regions.map(({ context, data }) => ({
    name: context.region.name,
    storage: data.accountUrl,
    serviceBus: data.namespaceHost,
    queue: context.settings.queue,
    api: `https://${context.region.host}`,
  }));
  return { version: 1, regions: entries };
}
