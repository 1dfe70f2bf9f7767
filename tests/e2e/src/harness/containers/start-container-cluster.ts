import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROBING_FAST } from '@tandem/local-cluster';
import { ensureQueue } from '@tandem/messaging';
import { seed, settingsOf } from '../configuration.ts';
import { type E2eCluster, type E2eOptions, QUEUE, REGION_NAMES } from '../e2e-cluster.ts';
import { checkTrust } from './azurite-certificate.ts';
import { PORTS, trafficManagerPlan } from './container-plan.ts';
import { type ContainerProcess, createContainerProcess } from './container-process.ts';
import { type ContainerRegion, createContainerRegion } from './container-region.ts';
import { findFreePorts } from './free-ports.ts';
import { createNetworks, type Networks } from './networks.ts';
import { openRuntime, type Runtime } from './runtime.ts';

const PORTS_PER_REGION = Object.keys(PORTS).length + 2;
const READY_MS_MAX = 240_000;

/** Regions of containers, each on a network of its own. */
export async function startContainerCluster(options: E2eOptions): Promise<E2eCluster> {
  checkTrust();
  const runtime = await openRuntime();
  const logFolder = await openLogFolder();
  const networks = await createNetworks(runtime, options.regions ?? REGION_NAMES);
  const parts = await assemble(options, { runtime, networks, logFolder });
  const stop = async (): Promise<void> => {
    const containers = parts.regions.flatMap((region) => [...partsOf(region)]);
    await Promise.all([...containers, parts.trafficManager].map((container) => container.remove()));
    await networks.remove();
  };
  try {
    await bringUp(parts, options);
  } catch (error) {
    await stop();
    throw new Error(`the cluster did not start; the logs are in ${logFolder}`, { cause: error });
  }
  return {
    ...parts,
    backend: 'containers',
    logFolder,
    stop,
    region: (name) => regionOf(parts.regions, name),
    cut: () => forBrokers(parts, (id) => networks.disconnect(networks.between, id)),
    heal: () => forBrokers(parts, (id, alias) => networks.connect(networks.between, id, alias)),
    upgrade: ({ name }) => replaceServices(regionOf(parts.regions, name), false),
    rollBack: ({ name }) => replaceServices(regionOf(parts.regions, name), true),
  };
}

async function replaceServices(region: ContainerRegion, isPrevious: boolean): Promise<void> {
  await region.replaceServices({ isPrevious });
  await region.untilReady();
}

interface Ground {
  readonly runtime: Runtime;
  readonly networks: Networks;
  readonly logFolder: string;
}

interface Parts {
  readonly regions: readonly ContainerRegion[];
  readonly trafficManager: ContainerProcess;
  readonly trafficManagerUrl: string;
}

async function assemble(options: E2eOptions, ground: Ground): Promise<Parts> {
  const { runtime, networks, logFolder } = ground;
  const names = [...networks.regions.keys()];
  const ports = await findFreePorts(1 + names.length * PORTS_PER_REGION);
  const regions = names.map((name, index) =>
    createContainerRegion({
      ...ground,
      name,
      ports: ports.slice(1 + index * PORTS_PER_REGION, 1 + (index + 1) * PORTS_PER_REGION),
      startsAtPreviousVersion: options.startsAtPreviousVersion ?? false,
    }),
  );
  const [port = 0] = ports;
  const trafficManager = createContainerProcess({
    runtime,
    plan: trafficManagerPlan({
      port,
      probing: options.probing ?? PROBING_FAST,
      regions: names,
    }),
    logFile: join(logFolder, 'traffic-manager.log'),
    async connect({ alias }, id) {
      for (const network of networks.regions.values()) await networks.connect(network, id, alias);
    },
  });
  return { regions, trafficManager, trafficManagerUrl: `http://127.0.0.1:${port}` };
}

async function bringUp({ regions, trafficManager }: Parts, options: E2eOptions): Promise<void> {
  await Promise.all(regions.flatMap(({ store, broker }) => [store.start(), broker.start()]));
  const brokers = Object.fromEntries(regions.map(({ name, brokerInside }) => [name, brokerInside]));
  await Promise.all(
    regions.map((region) =>
      prepare(region, { ...options.settings, ...settingsOf(region.name, brokers) }),
    ),
  );
  await Promise.all(
    regions.flatMap(({ api, replicator, tableEndpoint }) =>
      [api, replicator, tableEndpoint].map((part) => part.start()),
    ),
  );
  await Promise.all(regions.map((region) => region.untilReady(READY_MS_MAX)));
  await trafficManager.start();
}

async function prepare(
  { addresses }: ContainerRegion,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  await seed(addresses.tables, settings);
  const { broker, brokerAdmin } = addresses;
  await ensureQueue({
    connection: broker,
    administrationConnection: brokerAdmin,
    queue: QUEUE,
  });
}

/** Cutting off the brokers is enough: nothing else is asked for from another region. */
async function forBrokers(
  { regions }: Parts,
  act: (containerId: string, alias: string) => Promise<void>,
): Promise<void> {
  for (const { name, broker } of regions) {
    if (broker.containerId !== undefined) await act(broker.containerId, `${name}-broker`);
  }
}

function partsOf(region: ContainerRegion): readonly ContainerProcess[] {
  return [region.api, region.replicator, region.tableEndpoint, region.store, region.broker];
}

function regionOf(regions: readonly ContainerRegion[], name: string): ContainerRegion {
  const found = regions.find((region) => region.name === name);
  if (found === undefined) throw new Error(`there is no region ${name}`);
  return found;
}

/** E2E_LOGS when the logs shall outlive the run. */
async function openLogFolder(): Promise<string> {
  const parent = process.env['E2E_LOGS'];
  if (parent === undefined || parent === '') return mkdtemp(join(tmpdir(), 'tandem-e2e-'));
  await mkdir(parent, { recursive: true });
  return mkdtemp(join(parent, 'cluster-'));
}
