import type { Probing } from '@tandem/local-cluster';
import { AZURITE_CERTIFICATE } from './azurite-certificate.ts';

/** One container of a region: what it is made from and how it is reached. */
export interface ContainerPlan {
  /** For people: `API of east`. */
  readonly name: string;
  readonly image: string;
  /** Microsoft's own image in place of it. */
  readonly official?: 'azurite' | 'service-bus' | undefined;
  /** Its name on the networks. */
  readonly alias: string;
  readonly env: Readonly<Record<string, string>>;
  /** Files of this machine, and where they are in the container. */
  readonly files?: Readonly<Record<string, string>>;
  /** Ports in the container and those of this machine's loopback that they are published on. */
  readonly ports: Readonly<Record<number, number>>;
  /** Where it tells that it runs: a port of the container's. */
  readonly health: {
    readonly port: number;
    readonly path: string;
    /** Any answer will do unless it must be a success. */
    readonly mustSucceed: boolean;
    readonly isTls?: boolean;
  };
}

export function healthUrlOf({ ports, health }: ContainerPlan): string {
  return `${health.isTls ? 'https' : 'http'}://127.0.0.1:${ports[health.port]}${health.path}`;
}

/** In the containers; on this machine each has one of its own. */
export const PORTS = { http: 8_080, tables: 10_002, amqp: 5_672, admin: 5_300 } as const;

/** What the services trust the Azurites by; this process has it as NODE_EXTRA_CA_CERTS. */
const CERTIFICATE = '/run/azurite.crt';

const BROKER_KEY = 'SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE';
const ACCOUNT = 'devstoreaccount1';
/** The key that every storage emulator publishes; it protects nothing. */
const ACCOUNT_KEY =
  'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';
/** What a service may still do once it is told to stop. */
const SHUTDOWN_DEADLINE_MS = '5000';

export function tablesConnection(host: string, port: number): string {
  return (
    `DefaultEndpointsProtocol=https;AccountName=${ACCOUNT};AccountKey=${ACCOUNT_KEY};` +
    `TableEndpoint=https://${host}:${port}/${ACCOUNT}`
  );
}

export function brokerConnection(host: string, port: number): string {
  return `Endpoint=sb://${host}:${port};${BROKER_KEY};UseDevelopmentEmulator=true`;
}

/** `tandem-replicator:dev`; the tag is E2E_TAG, or E2E_PREVIOUS_TAG for the version before. */
function imageOf(target: string, isPrevious = false): string {
  const tag = process.env[isPrevious ? 'E2E_PREVIOUS_TAG' : 'E2E_TAG'] || 'dev';
  return `tandem-${target}:${tag}`;
}

function isOfficial(variable: 'E2E_AZURITE' | 'E2E_SERVICE_BUS'): boolean {
  const value = process.env[variable] || 'ours';
  if (value === 'ours' || value === 'official') return value === 'official';
  throw new Error(`${variable} must be ours or official, not "${value}".`);
}

export interface ServicePlanOptions {
  readonly region: string;
  readonly kind: 'api' | 'replicator' | 'table-endpoint';
  readonly port: number;
  readonly isPrevious: boolean;
}

const NAMES = {
  api: 'API',
  replicator: 'replicator',
  'table-endpoint': 'Table endpoint',
} as const;

export function servicePlan({ region, kind, port, isPrevious }: ServicePlanOptions): ContainerPlan {
  return {
    name: `${NAMES[kind]} of ${region}`,
    image: imageOf(kind === 'api' ? 'customer-api' : kind, isPrevious),
    alias: `${region}-${kind}`,
    env: {
      REGION_ID: region,
      STORAGE_CONNECTION: tablesConnection(`${region}-tables`, PORTS.tables),
      SHUTDOWN_DEADLINE_MS,
      NODE_EXTRA_CA_CERTS: CERTIFICATE,
      // The region's network is closed, and what is published is on loopback only.
      AUTH_OPEN_NETWORK: 'true',
      ...(kind === 'replicator' && {
        SERVICE_BUS_ADMINISTRATION_CONNECTION: brokerConnection(`${region}-broker`, PORTS.admin),
      }),
      ...(kind === 'table-endpoint' && { TABLE_ACCOUNTS: `${ACCOUNT}:${ACCOUNT_KEY}` }),
    },
    files: { [AZURITE_CERTIFICATE]: CERTIFICATE },
    ports: { [PORTS.http]: port },
    health: { port: PORTS.http, path: '/health/live', mustSucceed: true },
  };
}

export function tablesPlan(region: string, port: number): ContainerPlan {
  return {
    name: `tables of ${region}`,
    image: imageOf('azurite'),
    official: isOfficial('E2E_AZURITE') ? 'azurite' : undefined,
    alias: `${region}-tables`,
    env: {},
    ports: { [PORTS.tables]: port },
    health: { port: PORTS.tables, path: '/', mustSucceed: false, isTls: true },
  };
}

export function brokerPlan(region: string, amqpPort: number, adminPort: number): ContainerPlan {
  return {
    name: `broker of ${region}`,
    image: imageOf('servicebus-emulator'),
    official: isOfficial('E2E_SERVICE_BUS') ? 'service-bus' : undefined,
    alias: `${region}-broker`,
    env: {},
    ports: { [PORTS.amqp]: amqpPort, [PORTS.admin]: adminPort },
    health: { port: PORTS.admin, path: '/health', mustSucceed: true },
  };
}

export interface TrafficManagerPlanOptions {
  readonly port: number;
  readonly probing: Probing;
  /** Names, the preferred one first. */
  readonly regions: readonly string[];
}

export function trafficManagerPlan({
  port,
  probing,
  regions,
}: TrafficManagerPlanOptions): ContainerPlan {
  return {
    name: 'traffic manager',
    image: imageOf('traffic-manager'),
    alias: 'traffic-manager',
    env: {
      ENDPOINTS: regions.map((name) => `${name}=http://${name}-api:${PORTS.http}`).join(','),
      PROBE_INTERVAL_MS: String(probing.intervalMs),
      PROBE_TIMEOUT_MS: String(probing.timeoutMs),
      TOLERATED_FAILURES: String(probing.toleratedFailures),
      DNS_TTL_MS: String(probing.ttlMs),
      ALLOW_FAST_PROBES: 'true',
    },
    ports: { [PORTS.http]: port },
    health: { port: PORTS.http, path: '/_traffic-manager/status', mustSucceed: true },
  };
}
