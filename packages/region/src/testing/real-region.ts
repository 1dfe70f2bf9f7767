import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHybridClock, type TableStore } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import {
  createShutdown,
  createSystemClock,
  createSystemRandomness,
  createWriterId,
} from '@tandem/service-kit';
import { createEmulator, type Emulator, type QueueSeed } from '@tandem/servicebus-emulator';
import {
  createReplicatedTable,
  type ReplicatedTable,
  seedConfiguration,
  tandemSettings,
} from '@tandem/storage';
import { type Azurite, startAzurite } from '@tandem/storage/testing';
import { onTestFinished } from 'vitest';
import { createServiceBus, openStore } from '../connections.ts';
import { createRegionTables, createTables, type RegionTables } from '../region-tables.ts';
import {
  createReplicatorProcess,
  type ReplicatorProcess,
} from '../replication/replicator-process.ts';
import { type RecordedLog, recordLog } from './record-log.ts';

const BUCKET_COUNT = 4;

/** The storage account and the namespace of one region, each of which can be stopped and started. */
export interface RealRegion {
  readonly region: string;
  readonly storageConnection: string;
  readonly busConnection: string;
  readonly administrationConnection: string;
  readonly store: TableStore;
  readonly tables: RegionTables;
  /** Writes as the customer API does, but leaves every change to the sweep. */
  readonly customers: ReplicatedTable<typeof customerKind>;
  stopStorage(): Promise<void>;
  startStorage(): Promise<void>;
  stopBroker(): Promise<void>;
  startBroker(): Promise<void>;
  /** Cuts every connection to the broker without a word; locks stay. */
  dropConnections(): void;
}

interface RealRegionOptions {
  readonly region: string;
  readonly peer: string;
  /** Otherwise the replicator creates its queue. */
  readonly queues?: readonly QueueSeed[];
}

const clock = createSystemClock();
const randomness = createSystemRandomness();

/** Starts a region on disk, in a folder that goes with the test. */
async function startRealRegion(options: RealRegionOptions): Promise<RealRegion> {
  const { region, peer, queues = [] } = options;
  const folder = await mkdtemp(join(tmpdir(), `tandem-${region}-`));
  const at = { storage: join(folder, 'storage'), broker: join(folder, 'broker') };
  let azurite: Azurite = await startAzurite({ location: at.storage });
  let emulator: Emulator = await createEmulator({ location: at.broker, queues });
  const { connectionString: storageConnection, port } = azurite;
  const { connectionString, adminConnectionString, amqpPort, adminPort } = emulator;
  onTestFinished(async () => {
    await Promise.all([azurite.stop(), emulator.close()]);
    await rm(folder, { recursive: true });
  });
  const store = openStore(storageConnection);
  const kinds = [customerKind];
  await createTables({ store, kinds });
  const tables = createRegionTables({ store, kinds, bucketCount: BUCKET_COUNT });
  const writer = createWriterId(randomness);
  const nowMs = () => clock.nowMs();
  return {
    region,
    storageConnection,
    busConnection: connectionString,
    administrationConnection: adminConnectionString,
    store,
    tables,
    customers: createReplicatedTable({
      kind: customerKind,
      store,
      archive: tables.archive,
      hybridClock: createHybridClock({ region, writer, nowMs, driftMsMax: 60_000 }),
      clock,
      randomness,
      bucketCount: BUCKET_COUNT,
      peers: [peer],
      onCommitted: () => undefined,
    }),
    stopStorage: () => azurite.stop(),
    async startStorage() {
      azurite = await startAzurite({ location: at.storage, port });
    },
    stopBroker: () => emulator.close(),
    async startBroker() {
      emulator = await createEmulator({ location: at.broker, amqpPort, adminPort });
    },
    dropConnections: () => emulator.control.dropConnections(),
  };
}

/** Writes the settings of two regions that have each other as peers, with a quick sweep. */
async function introduce(one: RealRegion, other: RealRegion): Promise<void> {
  for (const [own, peer] of [
    [one, other],
    [other, one],
  ] as const) {
    await seedConfiguration({
      store: own.store,
      definitions: tandemSettings,
      values: {
        ServiceBusConnection: own.busConnection,
        RedundancyServiceBusConnection: peer.busConnection,
        'Peer.Region': peer.region,
        'Tables.BucketCount': String(BUCKET_COUNT),
        'Sweep.IntervalMs': '100',
        'Sweep.GraceMs': '0',
      },
    });
  }
}

export async function startTwoRealRegions(
  queues: readonly QueueSeed[] = [],
): Promise<{ readonly east: RealRegion; readonly west: RealRegion }> {
  const [east, west] = await Promise.all([
    startRealRegion({ region: 'east', peer: 'west', queues }),
    startRealRegion({ region: 'west', peer: 'east', queues }),
  ]);
  await introduce(east, west);
  return { east, west };
}

export interface RunningReplicator {
  readonly process: ReplicatorProcess;
  readonly log: RecordedLog;
}

/** Starts a replicator in this process, which stops with the test as on SIGTERM. */
export function startReplicator(own: RealRegion): RunningReplicator {
  const { region, store, administrationConnection } = own;
  const log = recordLog(region);
  const { logger } = log;
  const process = createReplicatorProcess({
    region,
    kinds: [customerKind],
    store,
    bus: createServiceBus({ logger, administrationConnection }),
    clock,
    randomness,
    logger,
    environment: {},
  });
  void process.start();
  const { drain, close } = process;
  const shutdown = createShutdown({ logger, clock, deadlineMs: 20_000, drain, close });
  onTestFinished(async () => void (await shutdown.run('the test has ended')));
  return { process, log };
}
