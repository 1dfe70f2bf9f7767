/** Two whole regions without their APIs: stores in memory, brokers, replicators, each a process. */

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEFLATED_WIRE_VERSION, type TableStore } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { ensureQueue } from '@tandem/messaging';
import { createTables } from '@tandem/region';
import { createAzureTableStore, seedConfiguration, tandemSettings } from '@tandem/storage';
import { azuriteConnectionString } from '@tandem/storage/testing';
import { freePort } from './free-port.ts';
import { type RunningApi, startApi } from './start-api.ts';
import { type RunningProgram, startProgram } from './start-program.ts';

const REGIONS = ['east', 'west'] as const;
type RegionName = (typeof REGIONS)[number];
export const QUEUE = 'customer';

interface RigRegion {
  readonly name: RegionName;
  readonly tables: string;
  readonly broker: string;
  readonly brokerAdmin: string;
  readonly programs: readonly RunningProgram[];
}

export interface Rig {
  readonly regions: Readonly<Record<RegionName, RigRegion>>;
  readonly programs: readonly RunningProgram[];
  /** Where `hasReplicators` was false. */
  startReplicator(region: RegionName): Promise<void>;
  /** The customer API of a region; it is stopped with the rig, or before. */
  startApi(region: RegionName): Promise<RunningApi>;
  /** The Table endpoint of a region, with the account of the emulators; it is stopped with the rig. */
  startTableEndpoint(region: RegionName): Promise<RunningEndpoint>;
  stop(): Promise<void>;
}

interface RunningEndpoint {
  readonly program: RunningProgram;
  /** Connects clients of Table Storage to it. */
  readonly connection: string;
}

export interface RigOptions {
  /** Rows of the Configuration tables. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly hasReplicators?: boolean;
  /** For every program, such as those that make it write a profile. */
  readonly nodeFlags?: readonly string[];
}

export async function startRegions(options: RigOptions = {}): Promise<Rig> {
  const started: RunningProgram[] = [];
  const stop = async (): Promise<void> => {
    for (const program of started.toReversed()) await program.stop();
  };
  const run: typeof startProgram = async (program) => {
    const running = await startProgram({ nodeFlags: options.nodeFlags ?? [], ...program });
    started.push(running);
    return running;
  };
  try {
    const [east, west] = [await startStores('east', run), await startStores('west', run)];
    await configure(east, west, options);
    await configure(west, east, options);
    const full = async (region: RigRegion): Promise<RigRegion> =>
      options.hasReplicators === false
        ? region
        : { ...region, programs: [...region.programs, await startReplicator(region, run)] };
    const regions = { east: await full(east), west: await full(west) };
    return {
      regions,
      programs: started,
      startReplicator: async (region) => void (await startReplicator(regions[region], run)),
      startApi: (region) =>
        startApi({ REGION_ID: region, STORAGE_CONNECTION: regions[region].tables }, run),
      startTableEndpoint: (region) => startTableEndpoint(regions[region], run),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

type Run = typeof startProgram;

async function startStores(name: RegionName, run: Run): Promise<RigRegion> {
  const port = await freePort();
  const tables = await run({
    name: `${name} tables`,
    main: fileURLToPath(import.meta.resolve('azurite/dist/src/table/main.js')),
    args: [
      '--tableHost',
      '127.0.0.1',
      '--tablePort',
      String(port),
      '--inMemoryPersistence',
      '--silent',
      '--skipApiVersionCheck',
      '--disableTelemetry',
    ],
    isReadyLine: (line) => line.includes('successfully started'),
    // It ends in order, and so writes a profile, only with this one.
    stopSignal: 'SIGINT',
  });
  const library = fileURLToPath(import.meta.resolve('@tandem/servicebus-emulator'));
  const broker = await run({
    name: `${name} broker`,
    main: join(dirname(library), 'main.ts'),
    args: ['--amqp-port', '0', '--admin-port', '0', '--queues', 'first-form'],
  });
  const said = JSON.parse(broker.readyLine) as Record<string, string>;
  return {
    name,
    tables: azuriteConnectionString(port),
    broker: said['connectionString'] ?? '',
    brokerAdmin: said['adminConnectionString'] ?? '',
    programs: [tables, broker],
  };
}

async function configure(own: RigRegion, peer: RigRegion, options: RigOptions): Promise<void> {
  const store: TableStore = createAzureTableStore({ connectionString: own.tables });
  const values = {
    'Customer.DataAccess': 'multi-region',
    'Customer.Queue': QUEUE,
    'Messages.WireVersion': String(DEFLATED_WIRE_VERSION),
    ServiceBusConnection: own.broker,
    'Peer.Region': peer.name,
    RedundancyServiceBusConnection: peer.broker,
    ...options.settings,
  };
  await seedConfiguration({ store, definitions: tandemSettings, values });
  await createTables({ store, kinds: [customerKind] });
  await ensureQueue({
    connection: own.broker,
    administrationConnection: own.brokerAdmin,
    queue: QUEUE,
  });
}

function startReplicator(region: RigRegion, run: Run): Promise<RunningProgram> {
  return run({
    name: `${region.name} replicator`,
    main: fileURLToPath(import.meta.resolve('@tandem/replicator/main')),
    env: {
      REGION_ID: region.name,
      STORAGE_CONNECTION: region.tables,
      SERVICE_BUS_ADMINISTRATION_CONNECTION: region.brokerAdmin,
      HOST: '127.0.0.1',
      PORT: '0',
      SHUTDOWN_DEADLINE_MS: '2000',
    },
  });
}

async function startTableEndpoint(region: RigRegion, run: Run): Promise<RunningEndpoint> {
  const port = await freePort();
  const connection = azuriteConnectionString(port);
  const valueOf = (name: string): string =>
    new RegExp(`${name}=([^;]+)`).exec(connection)?.[1] ?? '';
  const program = await run({
    name: `${region.name} endpoint`,
    main: fileURLToPath(import.meta.resolve('@tandem/table-endpoint/main')),
    env: {
      REGION_ID: region.name,
      STORAGE_CONNECTION: region.tables,
      TABLE_ACCOUNTS: `${valueOf('AccountName')}:${valueOf('AccountKey')}`,
      HOST: '127.0.0.1',
      PORT: String(port),
    },
  });
  return { program, connection };
}
