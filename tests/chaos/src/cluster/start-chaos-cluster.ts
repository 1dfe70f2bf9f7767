import {
  brokerConnection,
  type Cluster,
  type ClusterEvent,
  type PortPlan,
  PROBING_FAST,
  RESTART_POLICY,
  reserveFreePorts,
  startCluster,
  tablesConnection,
  urlOf,
} from '@tandem/local-cluster';
import { type Endpoint, FRONT } from '../history/operation.ts';
import { startTcpWire, type TcpWire } from '../network/tcp-wire.ts';
import { QUEUE, shortenLocks } from './queue-administration.ts';
import { othersThan, planWires, SERVICES, wireName } from './wire-plan.ts';

/** A service that dies of a fault is started again for as long as the run lasts. */
const RESTARTS_MAX = 1_000;

export interface ChaosCluster {
  readonly cluster: Cluster;
  /** By name. */
  readonly wires: ReadonlyMap<string, TcpWire>;
  stop(): Promise<void>;
}

export interface ChaosClusterOptions {
  /** Their names; the stand-in prefers the first. */
  readonly regions: readonly string[];
  readonly dataFolder: string;
  readonly onEvent: (event: ClusterEvent) => void;
  readonly signal: AbortSignal;
}

/** Regions and the stand-in in front of them, with a wire in each connection between them. */
export async function startChaosCluster(options: ChaosClusterOptions): Promise<ChaosCluster> {
  const { base, plan, release } = await reserveFreePorts(options.regions);
  const wires = new Map<string, TcpWire>();
  const closeAll = async (): Promise<void> => {
    await Promise.all([...wires.values()].map((wire) => wire.close()));
    await release();
  };
  try {
    for (const { name, targetPort } of planWires(plan)) {
      wires.set(name, await startTcpWire(name, targetPort));
    }
    const cluster = await startCluster({
      ...options,
      portBase: base,
      probing: PROBING_FAST,
      restart: {
        ...RESTART_POLICY,
        triesMax: RESTARTS_MAX,
        delayMsMax: RESTART_POLICY.delayMsFirst,
      },
      environment: environmentOf(plan, (name) => portOf(wires, name)),
    });
    const stop = async (): Promise<void> => {
      await cluster.stop();
      await closeAll();
    };
    try {
      await Promise.all(
        cluster.regions.map(({ addresses }) => shortenLocks(addresses.brokerAdmin)),
      );
    } catch (error) {
      await stop();
      throw error;
    }
    return { cluster, wires, stop };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** Leads what the services and the stand-in connect to through the wires. */
function environmentOf(
  plan: PortPlan,
  wirePort: (name: string) => number,
): Record<string, Record<string, string>> {
  const regions = Object.keys(plan.regions);
  const entries = Object.entries(plan.regions).flatMap(([region, ports]) =>
    SERVICES.map((service) => {
      const from = `${service} of ${region}`;
      const through = (to: string): number => wirePort(wireName(from, to));
      const own = {
        ...ports,
        tables: through(`tables of ${region}`),
        broker: through(`broker of ${region}`),
      };
      const peers = othersThan(region, regions).map((peer) => ({
        region: peer,
        connection: brokerConnection({ ...ports, broker: through(`broker of ${peer}`) }),
        queue: QUEUE,
      }));
      const environment = {
        STORAGE_CONNECTION: tablesConnection(own),
        SERVICE_BUS_CONNECTION: brokerConnection(own),
        ...peerSettings(peers),
      };
      return [from, environment] as const;
    }),
  );
  const endpoints = regions.map(
    (region) => `${region}=${urlOf(wirePort(wireName('traffic manager', `API of ${region}`)))}`,
  );
  return { ...Object.fromEntries(entries), 'traffic manager': { ENDPOINTS: endpoints.join(',') } };
}

/** In the form that the regions' own settings have: one for two regions, another for more. */
function peerSettings(
  peers: readonly { readonly connection: string }[],
): Readonly<Record<string, string>> {
  const [only] = peers;
  return peers.length === 1 && only !== undefined
    ? { REDUNDANCY_SERVICE_BUS_CONNECTION: only.connection }
    : { PEERS: JSON.stringify(peers) };
}

function portOf(wires: ReadonlyMap<string, TcpWire>, name: string): number {
  const wire = wires.get(name);
  if (wire === undefined) throw new Error(`There is no wire from ${name}.`);
  return wire.port;
}

/** Where the clients find the regions, and the stand-in in front of them. */
export function urlsOf({
  cluster,
}: Pick<ChaosCluster, 'cluster'>): Readonly<Record<Endpoint, string>> {
  return { ...regionUrlsOf({ cluster }), [FRONT]: cluster.trafficManagerUrl };
}

/** What connects clients of Table Storage to the regions, by name. */
export function endpointsOf({
  cluster,
}: Pick<ChaosCluster, 'cluster'>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    cluster.regions.map(({ name, addresses }) => [name, addresses.tableEndpoint]),
  );
}

/** Those of the regions alone, by name. */
export function regionUrlsOf({
  cluster,
}: Pick<ChaosCluster, 'cluster'>): Readonly<Record<string, string>> {
  return Object.fromEntries(cluster.regions.map(({ name, addresses }) => [name, addresses.api]));
}
