import {
  catalogKind,
  createHybridClock,
  formatGeneration,
  NEWEST_WIRE_VERSION,
  type OutboxEntry,
  openTableId,
  rowsKind,
  type TableStore,
  TransientError,
  type TypedKind,
} from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import {
  createMemoryTableStore,
  createSeededRandomness,
  type MemoryBus,
  type VirtualClock,
} from '@tandem/core/memory';
import { createShutdown } from '@tandem/service-kit';
import {
  createOpenTable,
  createReplicatedTable,
  createStateTable,
  createTableCatalogue,
  type OpenTable,
  type ReplicatedTable,
  seedConfiguration,
  type TableCatalogue,
  tandemSettings,
} from '@tandem/storage';
import { createFaultyStore, type FaultyStore } from '@tandem/storage/testing';
import { bucketCountOf, createRegionTables, createTables } from '../region-tables.ts';
import {
  createReplicatorProcess,
  type ReplicatorProcess,
} from '../replication/replicator-process.ts';
import { memoryBusOf } from './memory-bus.ts';
import { readOutbox } from './read-outbox.ts';
import { type RecordedLog, recordLog } from './record-log.ts';

const BUCKET_COUNT = 2;
const DELETED_KEEP_MS = 7 * 24 * 3_600_000;

export interface MemoryReplicator {
  readonly store: FaultyStore;
  readonly process: ReplicatorProcess;
  readonly log: RecordedLog;
  /** Writes as the customer API does, but leaves every change to the sweep. */
  readonly customers: ReplicatedTable<typeof customerKind>;
  /** Creates and deletes tables as a service does, but leaves every change to the sweep. */
  readonly catalogue: TableCatalogue;
  /** Opens the rows of a generation of a table of clients. */
  rowsOf(name: string, generation: number): OpenTable;
  /** Returns what is in the outbox. */
  outbox(): Promise<readonly OutboxEntry[]>;
  /** Stops it as on SIGTERM; resolves to the exit code. */
  stop(): Promise<number>;
}

export interface MemoryReplicatorOptions {
  readonly region: string;
  readonly peer?: string;
  readonly bus: MemoryBus;
  readonly clock: VirtualClock;
  /** Instead of those of a region with one peer; undefined for none. */
  readonly settings?: Partial<Record<keyof typeof tandemSettings, string | undefined>>;
  /** By default a memory store of its own. */
  readonly store?: TableStore;
  /** What it draws from; two processes of one region need two. */
  readonly seed?: number;
  /** Overrides settings; nothing by default. */
  readonly environment?: Readonly<Record<string, string>>;
}

export const STORE_DOWN = new TransientError('TABLE_UNAVAILABLE', 'The store does not answer.');

/** Makes a replicator over a store, a bus and a clock that a test holds in its hands; not yet started. */
export async function createMemoryReplicator(
  options: MemoryReplicatorOptions,
): Promise<MemoryReplicator> {
  const { region, peer = 'west', clock } = options;
  const store = createFaultyStore(options.store ?? createMemoryTableStore());
  const kinds = [customerKind, catalogKind, rowsKind];
  const values = {
    ServiceBusConnection: connectionOf(region),
    RedundancyServiceBusConnection: connectionOf(peer),
    'Peer.Region': peer,
    'Tables.BucketCount': String(BUCKET_COUNT),
    ...options.settings,
  };
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  await seedConfiguration({
    store,
    definitions: tandemSettings,
    values: Object.fromEntries(given),
  });
  await createTables({ store, kinds });
  const log = recordLog(region);
  const randomness = createSeededRandomness(options.seed ?? region.length);
  const process = createReplicatorProcess({
    region,
    kinds,
    store,
    bus: memoryBusOf(options.bus),
    clock,
    randomness,
    logger: log.logger,
    environment: options.environment ?? {},
  });
  const tables = createRegionTables({ store, kinds, bucketCount: BUCKET_COUNT });
  const nowMs = () => clock.nowMs();
  const openTable = <K extends TypedKind>(kind: K): ReplicatedTable<K> =>
    createReplicatedTable({
      kind,
      store,
      archive: tables.archive,
      hybridClock: createHybridClock({ region, writer: 'api', nowMs, driftMsMax: 60_000 }),
      clock,
      randomness,
      bucketCount: bucketCountOf(kind.name, { bucketCount: BUCKET_COUNT }),
      peers: options.settings?.['Customer.DataAccess'] === 'single-region' ? [] : [peer],
      onCommitted: () => undefined,
    });
  return {
    store,
    process,
    log,
    customers: openTable(customerKind),
    catalogue: createTableCatalogue({
      store,
      table: openTable(catalogKind),
      clock,
      keepMs: () => DELETED_KEEP_MS,
    }),
    rowsOf(name, generation) {
      const parts = {
        kind: rowsKind,
        store,
        clock,
        randomness,
        bucketCount: bucketCountOf(rowsKind.name, { bucketCount: BUCKET_COUNT }),
      };
      const states = createStateTable({
        ...parts,
        archive: tables.archive,
        hybridClock: createHybridClock({ region, writer: 'rows', nowMs, driftMsMax: 60_000 }),
        wireVersion: NEWEST_WIRE_VERSION,
        peers: [],
        onCommitted: () => undefined,
      });
      const tableId = openTableId(name, formatGeneration(generation));
      return createOpenTable({ ...parts, states, tableId });
    },
    outbox: () => readOutbox(tables),
    stop: () =>
      createShutdown({
        logger: log.logger,
        clock,
        deadlineMs: 25_000,
        drain: process.drain,
        close: process.close,
      }).run('SIGTERM'),
  };
}

/** Queues of different namespaces are different queues. */
export function queueOf(region: string, queue = 'customer'): string {
  return `${connectionOf(region)}/${queue}`;
}

function connectionOf(region: string): string {
  return `${region}.servicebus.example`;
}
