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
import { startTcpWire, type TcpWire } from '../network/tcp-wire.ts';
import { shortenLocks } from './queue-administration.ts';
import {
  otherThan,
  planWires,
  REGION_NAMES,
  type RegionName,
  SERVICES,
  wireName,
} from './wire-plan.ts';

/** A service that dies of a fault is started again for as long as the run lasts. */
const RESTARTS_MAX = 1_000;

export interface ChaosCluster {
  readonly cluster: Cluster;
  /** By name. */
  readonly wires: ReadonlyMap<string, TcpWire>;
  stop(): Promise<void>;
}

export interface ChaosClusterOptions {
  readonly dataFolder: string;
  readonly onEvent: (event: ClusterEvent) => void;
  readonly signal: AbortSignal;
}

/** Two regions and the stand-in in front of them, with a wire in each connection between them. */
export async function startChaosCluster(options: ChaosClusterOptions): Promise<ChaosCluster> {
  const { base, plan, release } = await reserveFreePorts(REGION_NAMES);
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
      regions: REGION_NAMES,
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
  const entries = REGION_NAMES.flatMap((region) =>
    SERVICES.map((service) => {
      const from = `${service} of ${region}`;
      const through = (to: string): number => wirePort(wireName(from, to));
      const ports = plan.regions[region];
      if (ports === undefined) throw new Error(`no ports for ${region}`);
      const own = {
        ...ports,
        tables: through(`tables of ${region}`),
        broker: through(`broker of ${region}`),
      };
      const peer = { ...ports, broker: through(`broker of ${otherThan(region)}`) };
      const environment = {
        STORAGE_CONNECTION: tablesConnection(own),
        SERVICE_BUS_CONNECTION: brokerConnection(own),
        REDUNDANCY_SERVICE_BUS_CONNECTION: brokerConnection(peer),
      };
      return [from, environment] as const;
    }),
  );
  const endpoints = REGION_NAMES.map(
    (region) => `${region}=${urlOf(wirePort(wireName('traffic manager', `API of ${region}`)))}`,
  );
  return { ...Object.fromEntries(entries), 'traffic manager': { ENDPOINTS: endpoints.join(',') } };
}

function portOf(wires: ReadonlyMap<string, TcpWire>, name: string): number {
  const wire = wires.get(name);
  if (wire === undefined) throw new Error(`There is no wire from ${name}.`);
  return wire.port;
}

/** Where the clients find the regions, and the stand-in in front of them. */
export function urlsOf({
  cluster,
}: Pick<ChaosCluster, 'cluster'>): Readonly<Record<RegionName | 'front', string>> {
  return {
    east: cluster.region('east').addresses.api,
    west: cluster.region('west').addresses.api,
    front: cluster.trafficManagerUrl,
  };
}
