// What serves the customers of a region. The only file that knows the container.
import {
  assert,
  type ChangePublisher,
  type Clock,
  createHybridClock,
  createRelay,
  createRelayQueue,
  finishLate,
  type HybridClock,
  type LateFinish,
  type PeerLink,
  type Randomness,
  type Relay,
  type RelayQueue,
  type TableStore,
} from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import {
  createPeerLinks,
  createRegionTables,
  type OpenedRegion,
  type RegionSettings,
  type RegionTables,
} from '@tandem/region-kit';
import { createWriterId, type Logger } from '@tandem/service-kit';
import {
  createEntityHistory,
  createReplicatedTable,
  type ReplicatedTable,
  type TandemConfiguration,
} from '@tandem/storage';
import { type Telemetry, traceArchive, tracePublisher } from '@tandem/telemetry';
import { asFunction, asValue, createContainer, InjectionMode } from 'awilix';
import { type Acknowledgements, createAcknowledgements } from './consistency/acknowledgements.ts';
import {
  createVersionGate,
  type ReadVersion,
  type VersionGate,
} from './consistency/version-gate.ts';
import {
  createCustomerService,
  type CustomerKind,
  type CustomerService,
} from './customers/customer-service.ts';
import { DATA_ACCESS } from './data-access.ts';
import { createRegionReadiness, type RegionReadiness } from './health/region-readiness.ts';
import { KINDS } from './kinds.ts';
import { createReceipts } from './receipts/receipts.ts';
import { readReadinessSettings } from './health/readiness-settings.ts';

export interface CompositionOptions {
  readonly region: string;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly logger: Logger;
  /** Of the region's storage account. */
  readonly store: TableStore;
  readonly opened: OpenedRegion;
  /** Ends what requests wait for, so that they are answered before the process ends. */
  readonly stopping?: AbortSignal;
  readonly tracing?: Tracing;
}

/** Both undefined where nothing is traced. */
export interface Tracing {
  readonly tracer: Telemetry['tracer'];
  /** The trace that a write made now belongs to. */
  readonly traceOf: (() => string | undefined) | undefined;
}

const NO_TRACING: Tracing = { tracer: undefined, traceOf: undefined };

/** A point read is the cheapest question there is; no row has this key. */
const PROBED_BUCKET = '00';
const PROBED_ROW = '~probe';

interface Cradle {
  readonly region: string;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly logger: Logger;
  readonly settings: RegionSettings;
  readonly configuration: TandemConfiguration;
  readonly store: TableStore;
  readonly publishers: readonly ChangePublisher[];
  readonly stopping: AbortSignal | undefined;
  readonly tracing: Tracing;
  readonly tables: RegionTables;
  readonly hybridClock: HybridClock;
  readonly links: readonly PeerLink[];
  readonly acknowledgements: Acknowledgements;
  readonly readVersion: ReadVersion;
  readonly gate: VersionGate;
  readonly lateFinish: LateFinish;
  readonly relay: Relay;
  readonly relayQueue: RelayQueue;
  readonly customerTable: ReplicatedTable<CustomerKind>;
  readonly customers: CustomerService;
  readonly readiness: RegionReadiness;
}

export type Composition = Pick<Cradle, 'customers' | 'readiness' | 'relayQueue' | 'publishers'>;

/** Makes everything at once, so that a missing piece fails at the start. */
export async function compose(options: CompositionOptions): Promise<Composition> {
  const { settings, configuration } = options.opened;
  const { tracing = NO_TRACING } = options;
  const { peers } = settings;
  const access = await DATA_ACCESS[settings.dataAccess]({
    store: options.store,
    kinds: KINDS,
    peers,
  });
  const container = createContainer<Cradle>({ injectionMode: InjectionMode.PROXY, strict: true });
  container.register({
    region: asValue(options.region),
    clock: asValue(options.clock),
    randomness: asValue(options.randomness),
    logger: asValue(options.logger),
    settings: asValue(settings),
    configuration: asValue(configuration),
    store: asValue(access.store),
    publishers: asValue(
      access.publishers.map((publisher) => tracePublisher(publisher, tracing.tracer)),
    ),
    stopping: asValue(options.stopping),
    tracing: asValue(tracing),
    tables: asFunction(createTablesOf).singleton(),
    hybridClock: asFunction(createClockOf).singleton(),
    links: asFunction(createPeerLinks).singleton(),
    acknowledgements: asFunction(createAcknowledgements).singleton(),
    readVersion: asFunction(createReadVersion).singleton(),
    gate: asFunction(createGateOf).singleton(),
    lateFinish: asFunction(createLateFinish).singleton(),
    relay: asFunction(createRelayOf).singleton(),
    relayQueue: asFunction(createRelayQueueOf).singleton(),
    customerTable: asFunction(createCustomerTable).singleton(),
    customers: asFunction(createCustomersOf).singleton(),
    readiness: asFunction(createReadinessOf).singleton(),
  });
  for (const name of Object.keys(container.registrations)) container.resolve(name);
  const { customers, readiness, relayQueue, publishers } = container.cradle;
  return { customers, readiness, relayQueue, publishers };
}

function createTablesOf({ store, settings }: Cradle): RegionTables {
  return createRegionTables({ store, kinds: KINDS, bucketCount: settings.bucketCount });
}

function createClockOf({ region, randomness, clock, settings, logger }: Cradle): HybridClock {
  return createHybridClock({
    region,
    writer: createWriterId(randomness),
    nowMs: () => clock.nowMs(),
    driftMsMax: settings.driftMsMax,
    onDrift: (report) =>
      logger.warn({ event: 'clock-drift', ...report }, 'A stamp is far ahead of the clock.'),
  });
}

function createLateFinish({ tables, tracing, clock, logger }: Cradle): LateFinish {
  return finishLate({
    archive: traceArchive(tables.archive, tracing.tracer),
    outboxes: tables.outboxes,
    clock,
    onFailure: (error) =>
      logger.warn({ event: 'archive-failed', error }, 'Changes were not archived: the sweep will.'),
  });
}

function createRelayOf({ lateFinish, links, acknowledgements }: Cradle): Relay {
  const { archive, outboxes } = lateFinish;
  return acknowledgements.watch(createRelay({ archive, outboxes, links }));
}

function createGateOf({ readVersion, clock, stopping }: Cradle): VersionGate {
  return createVersionGate({ readVersion, clock, stopping });
}

function createReadVersion({ tables }: Cradle): ReadVersion {
  const replica = tables.replicas.get(customerKind.name);
  assert(replica !== undefined, 'the region has the table of customers');
  return async (customerId) => {
    const rows = await replica.read(replica.bucketOf(customerId), [customerId]);
    return rows.get(customerId)?.state.vector;
  };
}

function createRelayQueueOf({ relay, lateFinish, clock, logger }: Cradle): RelayQueue {
  const queue = createRelayQueue({
    relay,
    clock,
    onFailure: (error) =>
      logger.warn({ event: 'relay-failed', error }, 'Changes were not relayed: the sweep will.'),
  });
  return {
    get length() {
      return queue.length;
    },
    offer: (entry) => queue.offer(entry),
    async drain(deadline) {
      await queue.drain(deadline);
      await lateFinish.drain(deadline);
    },
  };
}

function createCustomerTable(cradle: Cradle): ReplicatedTable<CustomerKind> {
  const { store, tables, hybridClock, clock, randomness, settings, publishers, tracing } = cradle;
  const { relayQueue, acknowledgements } = cradle;
  return createReplicatedTable({
    kind: customerKind,
    store,
    archive: tables.archive,
    hybridClock,
    clock,
    randomness,
    bucketCount: settings.bucketCount,
    peers: publishers.map(({ peer }) => peer),
    traceOf: tracing.traceOf,
    onCommitted: (entry) => {
      acknowledgements.committed(entry);
      relayQueue.offer(entry);
    },
  });
}

function createCustomersOf(cradle: Cradle): CustomerService {
  const { region, customerTable, randomness, readVersion, gate, acknowledgements } = cradle;
  const { tables, settings, publishers, configuration, clock, stopping } = cradle;
  return createCustomerService({
    region,
    customers: customerTable,
    randomness,
    readVersion,
    gate,
    acknowledgements,
    receipts: createReceipts({
      region,
      peers: publishers.map(({ peer }) => peer),
      status: tables.status,
      clock,
      skewMsMax: () => configuration.get('Receipt.SkewMsMax'),
      stopping,
    }),
    clock,
    isPreconditionRequired: () => configuration.get('Customer.Preconditions') === 'required',
    entityHistory: createEntityHistory({
      archive: tables.archive,
      kind: customerKind,
      bucketCount: settings.bucketCount,
    }),
  });
}

function createReadinessOf(cradle: Cradle): RegionReadiness {
  const { store, tables, publishers, configuration, clock, logger } = cradle;
  return createRegionReadiness({
    probeTable: () => store.get(customerKind.name, PROBED_BUCKET, PROBED_ROW),
    status: tables.status,
    drill: tables.drill,
    hold: tables.hold,
    hasPeers: publishers.length > 0,
    settings: () => readReadinessSettings(configuration),
    clock,
    logger,
  });
}
