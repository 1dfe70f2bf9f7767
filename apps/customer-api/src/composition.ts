// What serves the customers of a region. The only file that knows the container.
import {
  assert,
  bucketOf,
  type ChangePublisher,
  type Clock,
  createHybridClock,
  createNotices,
  createRelay,
  createRelayQueue,
  type EntityKind,
  finishLate,
  type HybridClock,
  type LateFinish,
  type Notices,
  type PeerLink,
  type Randomness,
  type ReadinessSettings,
  type RelayQueue,
  type TableStore,
} from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { createMemoryTableStore } from '@tandem/core/memory';
import { createServiceBusPublisher } from '@tandem/messaging';
import {
  createPeerLinks,
  createRegionTables,
  createTables,
  type DataAccess as DataAccessName,
  type OpenedRegion,
  type RegionSettings,
  type RegionTables,
} from '@tandem/region-kit';
import { createWriterId, type Logger, untilTurnEnds } from '@tandem/service-kit';
import {
  ARCHIVE_TABLE,
  createEntityHistory,
  createReplicatedTable,
  createRowMemory,
  isCommitted,
  type Peer,
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
  whyImpossible,
} from './consistency/version-gate.ts';
import {
  type CustomerKind,
  type CustomerService,
  createCustomerService,
} from './customers/customer-service.ts';
import { createRegionReadiness, type RegionReadiness } from './health/region-readiness.ts';
import { createReceipts, whyForged } from './receipts/receipts.ts';

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

const NO_TRACING: Tracing = { tracer: undefined, traceOf: undefined };

export type Composition = Pick<
  Cradle,
  'customers' | 'readiness' | 'relayQueue' | 'publishers' | 'notices'
>;

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
    notices: asFunction(createNoticesOf).singleton(),
    tables: asFunction(createTablesOf).singleton(),
    hybridClock: asFunction(createClockOf).singleton(),
    links: asFunction(createPeerLinks).singleton(),
    acknowledgements: asFunction(createAcknowledgements).singleton(),
    readVersion: asFunction(createReadVersion).singleton(),
    gate: asFunction(createGateOf).singleton(),
    lateFinish: asFunction(createLateFinish).singleton(),
    relayQueue: asFunction(createRelayQueueOf).singleton(),
    customerTable: asFunction(createCustomerTable).singleton(),
    customers: asFunction(createCustomersOf).singleton(),
    readiness: asFunction(createReadinessOf).singleton(),
  });
  for (const name of Object.keys(container.registrations)) container.resolve(name);
  const { customers, readiness, relayQueue, publishers, notices } = container.cradle;
  return { customers, readiness, relayQueue, publishers, notices };
}

function createNoticesOf({ clock, logger }: Cradle): Notices {
  return createNotices({
    clock,
    onNew: ({ kind, subject, detail }) =>
      logger.error({ event: kind, subject, detail }, 'A row was skipped; see tandem doctor.'),
  });
}

function createTablesOf({ store, settings, notices }: Cradle): RegionTables {
  // What writes remembers rows itself; through these they are only read.
  return createRegionTables({
    ...settings,
    store,
    kinds: KINDS,
    rowMemoryBytesMax: 0,
    onDamagedArchiveRow: ({ partitionKey, rowKey }, { code }) =>
      notices.note('row-foreign', `${ARCHIVE_TABLE}/${partitionKey}/${rowKey}`, code),
  });
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

/** A point read is the cheapest question there is; no row has this key. */
const PROBED_BUCKET = '00';
const PROBED_ROW = '~probe';

function createGateOf(cradle: Cradle): VersionGate {
  const { region, publishers, settings, readVersion, clock, stopping } = cradle;
  const regions = [region, ...publishers.map(({ peer }) => peer)];
  const { driftMsMax } = settings;
  return createVersionGate({
    readVersion,
    clock,
    stopping,
    whyImpossible: (version) =>
      whyImpossible(version, { regions, nowMs: clock.nowMs(), driftMsMax }),
  });
}

function createReadVersion({ tables }: Cradle): ReadVersion {
  const replica = tables.replicas.get(customerKind.name);
  assert(replica !== undefined, 'the region has the table of customers');
  return async (customerId) => {
    const rows = await replica.read(replica.bucketOf(customerId), [customerId]);
    return rows.get(customerId)?.state.vector;
  };
}

function createCustomerTable(cradle: Cradle): ReplicatedTable<CustomerKind> {
  const { store, tables, hybridClock, clock, randomness, settings, publishers, tracing } = cradle;
  const { relayQueue, acknowledgements, notices } = cradle;
  return createReplicatedTable({
    kind: customerKind,
    store,
    archive: tables.archive,
    hybridClock,
    clock,
    randomness,
    bucketCount: settings.bucketCount,
    memory: createRowMemory({ bytesMax: settings.rowMemoryBytesMax }),
    wireVersion: settings.wireVersion,
    peers: publishers.map(({ peer }) => peer),
    traceOf: tracing.traceOf,
    gather: untilTurnEnds,
    onDamaged: ({ partitionKey, rowKey, problem }) => {
      const key = `${customerKind.name}/${partitionKey}/${rowKey}`;
      notices.note('row-foreign', key, problem);
    },
    onCommitted: (entry) => {
      acknowledgements.committed(entry);
      relayQueue.offer(entry);
    },
  });
}

function createCustomersOf(cradle: Cradle): CustomerService {
  const { region, customerTable, randomness, readVersion, gate, acknowledgements } = cradle;
  const { store, tables, settings, publishers, configuration, clock, stopping } = cradle;
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
      gate,
      readVersion,
      isCommitted: (customerId, stamp) => {
        const { name: entityKind } = customerKind;
        const bucket = bucketOf(customerId, settings.bucketCount);
        const { archive } = tables;
        const get: TableStore['get'] = (...key) => store.get(...key);
        return isCommitted({ entityKind, bucket, stamp }, { get, archive, table: entityKind });
      },
      whyForged: (receipt) =>
        whyForged(receipt, { nowMs: clock.nowMs(), driftMsMax: settings.driftMsMax }),
      clock,
      skewMsMax: () => configuration.get('Receipt.SkewMsMax'),
      driftMsMax: () => configuration.get('Clock.DriftMsMax'),
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

function createLateFinish({ tables, tracing, clock, logger }: Cradle): LateFinish {
  return finishLate({
    archive: traceArchive(tables.archive, tracing.tracer),
    outboxes: tables.outboxes,
    clock,
    onFailure: (error) =>
      logger.warn({ event: 'archive-failed', error }, 'Changes were not archived: the sweep will.'),
  });
}

function createRelayQueueOf(cradle: Cradle): RelayQueue {
  const { links, lateFinish, acknowledgements, clock, logger } = cradle;
  const queue = createRelayQueue({
    relay: createRelay({ finish: lateFinish, links }),
    clock,
    onSent: (entry, peer, isAccepted) => acknowledgements.sent(entry, peer, isAccepted),
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

/** Both undefined where nothing is traced. */
export interface Tracing {
  readonly tracer: Telemetry['tracer'];
  /** The trace that a write made now belongs to. */
  readonly traceOf: (() => string | undefined) | undefined;
}

/** What serves the customers of a region, piece by piece; each factory takes what it uses. */
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
  /** What its processes of this region have met and an operator has to see to. */
  readonly notices: Notices;
  readonly tables: RegionTables;
  readonly hybridClock: HybridClock;
  readonly links: readonly PeerLink[];
  readonly acknowledgements: Acknowledgements;
  readonly readVersion: ReadVersion;
  readonly gate: VersionGate;
  readonly lateFinish: LateFinish;
  readonly relayQueue: RelayQueue;
  readonly customerTable: ReplicatedTable<CustomerKind>;
  readonly customers: CustomerService;
  readonly readiness: RegionReadiness;
}

/** Read anew for each probe: an operator may change them while the process runs. */
function readReadinessSettings(configuration: Pick<TandemConfiguration, 'get'>): ReadinessSettings {
  return {
    lagMsMax: configuration.get('Readiness.LagMsMax'),
    waitMsMax: configuration.get('Readiness.WaitMsMax'),
    heartbeatMsMax: configuration.get('Readiness.HeartbeatMsMax'),
    driftMsMax: configuration.get('Clock.DriftMsMax'),
  };
}

/** Where customers are kept, and to whom their changes are sent. */
interface DataAccess {
  readonly store: TableStore;
  /** One for each peer. */
  readonly publishers: readonly ChangePublisher[];
}

interface DataAccessOptions {
  /** Of the region's storage account, with its tables. */
  readonly store: TableStore;
  readonly kinds: readonly EntityKind[];
  readonly peers: readonly Peer[];
}

/** By the setting `Customer.DataAccess`. */
const DATA_ACCESS: Readonly<
  Record<DataAccessName, (options: DataAccessOptions) => Promise<DataAccess>>
> = {
  'multi-region': async ({ store, peers }) => ({
    store,
    publishers: peers.map(({ region, connection, queue }) =>
      createServiceBusPublisher({ peer: region, connection: connection.reveal(), queue }),
    ),
  }),
  'single-region': async ({ store }) => ({ store, publishers: [] }),
  memory: async ({ kinds }) => {
    const store = createMemoryTableStore();
    await createTables({ store, kinds });
    return { store, publishers: [] };
  },
};

/** The entity kinds whose tables this API opens. */
export const KINDS: readonly EntityKind[] = [customerKind];
