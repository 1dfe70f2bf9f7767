import { join } from 'node:path';
import type { Region } from '@tandem/local-cluster';
import { until } from '../../customers-client.ts';
import {
  brokerConnection,
  brokerPlan,
  type ContainerPlan,
  PORTS,
  servicePlan,
  tablesConnection,
  tablesPlan,
} from './container-plan.ts';
import { type ContainerProcess, createContainerProcess } from './container-process.ts';
import type { Networks } from './networks.ts';
import type { Runtime } from './runtime.ts';

/** A region under load that shares its machine with the others takes long to catch up. */
const READY_MS_MAX = 300_000;

/** A region of which every part is a container. */
export interface ContainerRegion extends Region {
  readonly api: ContainerProcess;
  readonly replicator: ContainerProcess;
  readonly tableEndpoint: ContainerProcess;
  readonly store: ContainerProcess;
  readonly broker: ContainerProcess;
  /** Connection string of its broker, as the services of every region see it. */
  readonly brokerInside: string;
  /** Replaces its API and its replicator by those of this version, or of the one before it. */
  replaceServices(version: { readonly isPrevious: boolean }): Promise<void>;
}

export interface ContainerRegionOptions {
  readonly name: string;
  readonly runtime: Runtime;
  readonly networks: Networks;
  readonly logFolder: string;
  /** Six of this machine's. */
  readonly ports: readonly number[];
  readonly startsAtPreviousVersion: boolean;
}

export function createContainerRegion(options: ContainerRegionOptions): ContainerRegion {
  const { name, runtime, networks, logFolder } = options;
  const [api = 0, replicator = 0, tables = 0, amqp = 0, admin = 0, endpoint = 0] = options.ports;
  const create = (kind: string, plan: ContainerPlan, isShared: boolean): ContainerProcess =>
    createContainerProcess({
      runtime,
      plan,
      logFile: join(logFolder, `${name}-${kind}.log`),
      async connect({ alias }, containerId) {
        const own = networks.regions.get(name);
        if (own !== undefined) await networks.connect(own, containerId, alias);
        if (isShared) await networks.connect(networks.between, containerId, alias);
      },
    });
  const plans = (
    isPrevious: boolean,
  ): Record<'api' | 'replicator' | 'tableEndpoint', ContainerPlan> => ({
    api: servicePlan({ region: name, kind: 'api', port: api, isPrevious }),
    replicator: servicePlan({ region: name, kind: 'replicator', port: replicator, isPrevious }),
    // An earlier version may have none.
    tableEndpoint: servicePlan({
      region: name,
      kind: 'table-endpoint',
      port: endpoint,
      isPrevious: false,
    }),
  });
  const first = plans(options.startsAtPreviousVersion);
  const parts = {
    api: create('api', first.api, true),
    replicator: create('replicator', first.replicator, true),
    tableEndpoint: create('table-endpoint', first.tableEndpoint, true),
    store: create('tables', tablesPlan(name, tables), false),
    broker: create('broker', brokerPlan(name, amqp, admin), true),
  };
  const addresses = {
    api: `http://127.0.0.1:${api}`,
    replicator: `http://127.0.0.1:${replicator}`,
    tables: tablesConnection('127.0.0.1', tables),
    tableEndpoint: tablesConnection('127.0.0.1', endpoint).replace(/https/g, 'http'),
    broker: brokerConnection('127.0.0.1', amqp),
    brokerAdmin: brokerConnection('127.0.0.1', admin),
  };
  return {
    name,
    ...parts,
    addresses,
    brokerInside: brokerConnection(`${name}-broker`, PORTS.amqp),
    ...lifeOf(parts, addresses.api),
    async replaceServices({ isPrevious }) {
      const next = plans(isPrevious);
      await Promise.all([parts.api.replace(next.api), parts.replicator.replace(next.replicator)]);
    },
  };
}

type Parts = Pick<ContainerRegion, 'api' | 'replicator' | 'tableEndpoint' | 'store' | 'broker'>;

function lifeOf(
  { api, replicator, tableEndpoint, store, broker }: Parts,
  apiUrl: string,
): Pick<Region, 'start' | 'stop' | 'kill' | 'untilReady'> {
  return {
    async start() {
      await Promise.all([store.start(), broker.start()]);
      await Promise.all([api.start(), replicator.start(), tableEndpoint.start()]);
    },
    async stop() {
      await Promise.all([api.stop(), replicator.stop(), tableEndpoint.stop()]);
      await Promise.all([store.stop(), broker.stop()]);
    },
    // Azurite is stopped and not killed: it would lose what Azure Storage does not.
    async kill() {
      const killed = [api, replicator, tableEndpoint, broker].map((part) => part.kill());
      await Promise.all([...killed, store.stop()]);
    },
    async untilReady(waitMsMax = READY_MS_MAX) {
      const ask = async (): Promise<true | undefined> => {
        const response = await fetch(`${apiUrl}/health/ready`);
        await response.body?.cancel();
        return response.ok ? true : undefined;
      };
      await until(`${api.name} to be ready`, ask, waitMsMax);
    },
  };
}
