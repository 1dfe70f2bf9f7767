import type { Region } from '../region/build-region.ts';

export interface ServicePlan {
  readonly service: 'customer-api' | 'replicator';
  readonly port: number;
  readonly shutdownDeadlineMs: number;
}

/**
 * The environment of a service where no chart makes it. As in helm/, what follows from the list of
 * regions is set here; what is not set is read from the region's table Configuration.
 */
export function serviceEnvironment(
  own: Region,
  regions: readonly Region[],
  plan: ServicePlan,
): Readonly<Record<string, string>> {
  const { queue, auth } = own.context.settings;
  const { logLevel = 'info', wireVersion } = own.context.region;
  const peers = regions
    .filter((region) => region !== own)
    .map(({ context, data }) => ({
      region: context.region.name,
      connection: data.namespaceHost,
      queue,
    }));
  return {
    REGION_ID: own.context.region.name,
    STORAGE_CONNECTION: own.data.accountUrl,
    CUSTOMER_DATA_ACCESS: 'multi-region',
    CUSTOMER_QUEUE: queue,
    SERVICE_BUS_CONNECTION: own.data.namespaceHost,
    PEERS: JSON.stringify(peers),
    HOST: '0.0.0.0',
    PORT: String(plan.port),
    LOG_LEVEL: logLevel,
    ...(wireVersion !== undefined && { MESSAGES_WIRE_VERSION: String(wireVersion) }),
    SHUTDOWN_DEADLINE_MS: String(plan.shutdownDeadlineMs),
    ...(plan.service === 'customer-api'
      ? { AUTH_ISSUER: auth.issuer, AUTH_AUDIENCE: auth.audience }
      : {}),
  };
}
