import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { azuriteConnectionString } from '@tandem/storage/testing';
import { LOOPBACK, type PortPlan, type RegionPorts } from '../ports/port-plan.ts';
import { isReadyEvent, type Program } from '../process/local-process.ts';

/** Bounds what a service may still do once it is told to stop. */
const SHUTDOWN_DEADLINE_MS = '5000';

export interface RegionPlan {
  readonly name: string;
  readonly ports: RegionPorts;
  /** Holds what the region's stores keep. */
  readonly folder: string;
  /** Serves the tables in place of Azurite, whose options it takes, and says in its words that it has started. */
  readonly tablesMain?: string | undefined;
}

/**
 * Azurite's table service. It saves every five seconds and when it is stopped with SIGINT, not when
 * it is killed (see start-azurite.ts in @tandem/storage): ending it in any other way loses writes
 * that it has acknowledged, which Azure Storage does not do.
 */
export function azuriteProgram({ name, ports, folder, tablesMain }: RegionPlan): Program {
  return {
    name: `tables of ${name}`,
    main: tablesMain ?? fileURLToPath(import.meta.resolve('azurite/dist/src/table/main.js')),
    args: flags({
      tableHost: LOOPBACK,
      tablePort: ports.tables,
      location: join(folder, 'tables'),
      silent: true,
      skipApiVersionCheck: true,
      disableTelemetry: true,
    }),
    env: {},
    isReadyLine: (line) => line.includes('successfully started'),
    stopSignal: 'SIGINT',
    watchesParent: false,
  };
}

export function brokerProgram({ name, ports, folder }: RegionPlan): Program {
  return {
    name: `broker of ${name}`,
    main: brokerMain(),
    args: flags({
      location: join(folder, 'broker'),
      host: LOOPBACK,
      'amqp-port': ports.broker,
      'admin-port': ports.brokerAdmin,
    }),
    env: {},
    isReadyLine: isReadyEvent,
    stopSignal: 'SIGTERM',
    watchesParent: false,
  };
}

export function apiProgram(plan: RegionPlan): Program {
  return serviceProgram(plan, {
    name: `API of ${plan.name}`,
    main: fileURLToPath(import.meta.resolve('@tandem/customer-api/main')),
    env: { PORT: String(plan.ports.api) },
  });
}

/** Serves the account that every emulator of storage publishes, on loopback. */
export function tableEndpointProgram(plan: RegionPlan): Program {
  return serviceProgram(plan, {
    name: `Table endpoint of ${plan.name}`,
    main: fileURLToPath(import.meta.resolve('@tandem/table-endpoint/main')),
    env: {
      PORT: String(plan.ports.tableEndpoint),
      TABLE_ACCOUNTS: accountOf(azuriteConnectionString(plan.ports.tableEndpoint)),
    },
  });
}

function accountOf(connection: string): string {
  const valueOf = (name: string): string =>
    connection
      .split(';')
      .find((part) => part.startsWith(`${name}=`))
      ?.slice(name.length + 1) ?? '';
  return `${valueOf('AccountName')}:${valueOf('AccountKey')}`;
}

export function replicatorProgram(plan: RegionPlan): Program {
  return serviceProgram(plan, {
    name: `replicator of ${plan.name}`,
    main: fileURLToPath(import.meta.resolve('@tandem/replicator/main')),
    env: {
      PORT: String(plan.ports.replicator),
      SERVICE_BUS_ADMINISTRATION_CONNECTION: brokerAdminConnection(plan.ports),
    },
  });
}

function serviceProgram(plan: RegionPlan, own: Pick<Program, 'name' | 'main' | 'env'>): Program {
  return {
    name: own.name,
    main: own.main,
    args: [],
    env: {
      REGION_ID: plan.name,
      STORAGE_CONNECTION: tablesConnection(plan.ports),
      HOST: LOOPBACK,
      SHUTDOWN_DEADLINE_MS,
      ...own.env,
    },
    isReadyLine: isReadyEvent,
    stopSignal: 'SIGTERM',
    watchesParent: true,
  };
}

function flags(values: Readonly<Record<string, string | number | true>>): string[] {
  return Object.entries(values).flatMap(([name, value]) =>
    value === true ? [`--${name}`] : [`--${name}`, String(value)],
  );
}

/** The package's program lies beside its library. */
function brokerMain(): string {
  const library = fileURLToPath(import.meta.resolve('@tandem/servicebus-emulator'));
  return join(dirname(library), `main${extname(library)}`);
}

/** The emulator takes any key; it listens on loopback only. */
const BROKER_KEY = 'SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE';

export function tablesConnection(ports: RegionPorts): string {
  return azuriteConnectionString(ports.tables);
}

/** Connects unmodified clients of Table Storage to the region. */
export function endpointConnection(ports: RegionPorts): string {
  return azuriteConnectionString(ports.tableEndpoint);
}

export function brokerConnection(ports: RegionPorts): string {
  return emulatorConnection(ports.broker);
}

export function brokerAdminConnection(ports: RegionPorts): string {
  return emulatorConnection(ports.brokerAdmin);
}

function emulatorConnection(port: number): string {
  return `Endpoint=sb://${LOOPBACK}:${port};${BROKER_KEY};UseDevelopmentEmulator=true`;
}

export function urlOf(port: number): string {
  return `http://${LOOPBACK}:${port}`;
}

/** Says how the traffic manager finds out that a region is down. */
export interface Probing {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly toleratedFailures: number;
  /** Says how long a client keeps using the region that it was sent to. */
  readonly ttlMs: number;
}

/** Does what Azure Traffic Manager does with its fast interval. */
export const PROBING_DEFAULT: Probing = {
  intervalMs: 10_000,
  timeoutMs: 9_000,
  toleratedFailures: 3,
  ttlMs: 10_000,
};

/** Serves a demonstration: a lost region is noticed in about three seconds instead of forty. */
export const PROBING_FAST: Probing = {
  intervalMs: 1_000,
  timeoutMs: 900,
  toleratedFailures: 2,
  ttlMs: 1_000,
};

const INTERVAL_MS_REAL = 10_000;

export function trafficManagerProgram(plan: PortPlan, probing: Probing): Program {
  const endpoints = Object.entries(plan.regions).map(
    ([region, ports]) => `${region}=${urlOf(ports.api)}`,
  );
  return {
    name: 'traffic manager',
    main: fileURLToPath(import.meta.resolve('@tandem/traffic-manager/main')),
    args: [],
    env: {
      ENDPOINTS: endpoints.join(','),
      HOST: LOOPBACK,
      PORT: String(plan.trafficManager),
      PROBE_INTERVAL_MS: String(probing.intervalMs),
      PROBE_TIMEOUT_MS: String(probing.timeoutMs),
      TOLERATED_FAILURES: String(probing.toleratedFailures),
      DNS_TTL_MS: String(probing.ttlMs),
      ALLOW_FAST_PROBES: String(probing.intervalMs < INTERVAL_MS_REAL),
    },
    isReadyLine: isReadyEvent,
    stopSignal: 'SIGTERM',
    watchesParent: false,
  };
}
