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
  type Notices,
  type OutboxEntry,
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
  type Acknowledgements,
  createAcknowledgements,
  createPeerLinks,
  createReceipts,
  createRegionReadiness,
  createRegionTables,
  createTables,
  createVersionGate,
  type DataAccess as DataAccessName,
  type PreparedRegion,
  type ReadVersion,
  type Receipts,
  type RegionReadiness,
  type RegionTables,
  type VersionGate,
  whyForged,
  whyImpossible,
} from '@tandem/region';
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
import {
  type CustomerKind,
  type CustomerService,
  createCustomerService,
} from './customers/customer-service.ts';

export interface CompositionOptions {
  readonly region: string;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly logger: Logger;
  /** Reaches the region's storage account. */
  readonly store: TableStore;
  readonly opened: PreparedRegion;
  /** Ends what requests wait for, so that they are answered before the process ends. */
  readonly stopping?: AbortSignal;
  readonly tracing?: Tracing;
}

const NO_TRACING: Tracing = { tracer: undefined, traceOf: undefined };

export interface Composition {
  readonly customers: CustomerService;
  readonly readiness: RegionReadiness;
  readonly relayQueue: RelayQueue;
  readonly publishers: readonly ChangePublisher[];
  /** What the processes of this region have met and an operator has to see to. */
  readonly notices: Notices;
}

/** Makes what serves the customers of a region, each part from those above it. */
export async function compose(options: CompositionOptions): Promise<Composition> {
  const { region, clock, randomness, logger, stopping, tracing = NO_TRACING } = options;
  const { settings, configuration } = options.opened;
  const { driftMsMax } = settings;
  const { store, ...access } = await openDataAccess(options);
  const publishers = access.publishers.map((one) => tracePublisher(one, tracing.tracer));
  const peers = publishers.map(({ peer }) => peer);

  const notices = openNotices(options);
  const tables = openTables(options, { store, notices });
  const links = createPeerLinks({ publishers, clock, randomness, settings, logger });
  const acknowledgements = createAcknowledgements({ links, clock, stopping });
  const relayQueue = openRelayQueue(options, { tables, links, acknowledgements });
  const readVersion = readVersionOf(tables);
  const regions = [region, ...peers];
  const gate = createVersionGate({
    readVersion,
    clock,
    stopping,
    whyImpossible: (version) =>
      whyImpossible(version, { regions, nowMs: clock.nowMs(), driftMsMax }),
  });
  const customers = createCustomerService({
    region,
    customers: openCustomerTable(options, {
      store,
      tables,
      peers,
      notices,
      onCommitted: (entry) => {
        acknowledgements.committed(entry);
        relayQueue.offer(entry);
      },
    }),
    randomness,
    readVersion,
    gate,
    acknowledgements,
    receipts: openReceipts(options, { store, tables, peers, gate, readVersion }),
    clock,
    isPreconditionRequired: () => configuration.get('Api.Preconditions') === 'required',
    entityHistory: createEntityHistory({
      archive: tables.archive,
      kind: customerKind,
      bucketCount: settings.bucketCount,
    }),
  });
  const readiness = openReadiness(options, { store, tables, peers });
  return { customers, readiness, relayQueue, publishers, notices };
}

function openNotices({ clock, logger }: CompositionOptions): Notices {
  return createNotices({
    clock,
    onNew: ({ kind, subject, detail }) =>
      logger.error({ event: kind, subject, detail }, 'A row was skipped; see tandem doctor.'),
  });
}

/** What writes remembers rows itself; through these they are only read. */
function openTables(
  { opened }: CompositionOptions,
  { store, notices }: Pick<TableParts, 'store' | 'notices'>,
): RegionTables {
  return createRegionTables({
    ...opened.settings,
    store,
    kinds: KINDS,
    rowMemoryBytesMax: 0,
    onDamagedArchiveRow: ({ partitionKey, rowKey }, { code }) =>
      notices.note('row-foreign', `${ARCHIVE_TABLE}/${partitionKey}/${rowKey}`, code),
  });
}

/** A point read is the cheapest question there is; no row has this key. */
const PROBED_BUCKET = '00';
const PROBED_ROW = '~probe';

function openReadiness(
  { clock, logger, opened }: CompositionOptions,
  { store, tables, peers }: Pick<TableParts, 'store' | 'tables' | 'peers'>,
): RegionReadiness {
  return createRegionReadiness({
    probeTable: () => store.get(customerKind.name, PROBED_BUCKET, PROBED_ROW),
    status: tables.status,
    drill: tables.drill,
    hold: tables.hold,
    hasPeers: peers.length > 0,
    settings: () => readReadinessSettings(opened.configuration),
    clock,
    logger,
  });
}

interface RelayParts {
  readonly tables: RegionTables;
  readonly links: readonly PeerLink[];
  readonly acknowledgements: Acknowledgements;
}

function openRelayQueue(
  { clock, logger, tracing = NO_TRACING }: CompositionOptions,
  { tables, links, acknowledgements }: RelayParts,
): RelayQueue {
  const finish = finishLate({
    archive: traceArchive(tables.archive, tracing.tracer),
    outboxes: tables.outboxes,
    clock,
    onFailure: (error) =>
      logger.warn({ event: 'archive-failed', error }, 'Changes were not archived: the sweep will.'),
  });
  const queue = createRelayQueue({
    relay: createRelay({ finish, links }),
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
      await finish.drain(deadline);
    },
  };
}

function readVersionOf({ replicas }: RegionTables): ReadVersion {
  const replica = replicas.get(customerKind.name);
  assert(replica !== undefined, 'the region has the table of customers');
  return async (customerId) => {
    const rows = await replica.read(replica.bucketOf(customerId), [customerId]);
    return rows.get(customerId)?.state.vector;
  };
}

interface TableParts {
  readonly store: TableStore;
  readonly tables: RegionTables;
  readonly peers: readonly string[];
  readonly notices: Notices;
  readonly onCommitted: (entry: OutboxEntry) => void;
}

function openCustomerTable(
  options: CompositionOptions,
  { store, tables, peers, notices, onCommitted }: TableParts,
): ReplicatedTable<CustomerKind> {
  const { region, clock, randomness, logger, tracing = NO_TRACING } = options;
  const { settings } = options.opened;
  return createReplicatedTable({
    kind: customerKind,
    store,
    archive: tables.archive,
    hybridClock: createHybridClock({
      region,
      writer: createWriterId(randomness),
      nowMs: () => clock.nowMs(),
      driftMsMax: settings.driftMsMax,
      onDrift: (report) =>
        logger.warn({ event: 'clock-drift', ...report }, 'A stamp is far ahead of the clock.'),
    }),
    clock,
    randomness,
    bucketCount: settings.bucketCount,
    memory: createRowMemory({ bytesMax: settings.rowMemoryBytesMax }),
    wireVersion: settings.wireVersion,
    peers,
    traceOf: tracing.traceOf,
    gather: untilTurnEnds,
    onDamaged: ({ partitionKey, rowKey, problem }) => {
      const key = `${customerKind.name}/${partitionKey}/${rowKey}`;
      notices.note('row-foreign', key, problem);
    },
    onCommitted,
  });
}

interface ReceiptParts {
  readonly store: TableStore;
  readonly tables: RegionTables;
  readonly peers: readonly string[];
  readonly gate: VersionGate;
  readonly readVersion: ReadVersion;
}

function openReceipts(
  { region, clock, stopping, opened }: CompositionOptions,
  { store, tables, peers, gate, readVersion }: ReceiptParts,
): Receipts {
  const { settings, configuration } = opened;
  return createReceipts({
    region,
    peers,
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
  });
}

/** Both undefined where nothing is traced. */
export interface Tracing {
  readonly tracer: Telemetry['tracer'];
  /** Returns the trace that a write made now belongs to. */
  readonly traceOf: (() => string | undefined) | undefined;
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
  /** Send to the peers, one to each. */
  readonly publishers: readonly ChangePublisher[];
}

interface DataAccessParts {
  /** Reaches the region's storage account, with its tables. */
  readonly store: TableStore;
  readonly peers: readonly Peer[];
}

/** The container chooses by the setting `Customer.DataAccess`; only what is chosen is made. */
function openDataAccess({ store, opened }: CompositionOptions): Promise<DataAccess> {
  const container = createContainer<DataAccessParts & Record<DataAccessName, Promise<DataAccess>>>({
    injectionMode: InjectionMode.PROXY,
    strict: true,
  });
  container.register({
    store: asValue(store),
    peers: asValue(opened.settings.peers),
    'multi-region': asFunction(openMultiRegion),
    'single-region': asFunction(openSingleRegion),
    memory: asFunction(openMemory),
  });
  return container.resolve(opened.settings.dataAccess);
}

async function openMultiRegion({ store, peers }: DataAccessParts): Promise<DataAccess> {
  const publishers = peers.map(({ region, connection, queue }) =>
    createServiceBusPublisher({ peer: region, connection: connection.reveal(), queue }),
  );
  return { store, publishers };
}

async function openSingleRegion({ store }: DataAccessParts): Promise<DataAccess> {
  return { store, publishers: [] };
}

async function openMemory(): Promise<DataAccess> {
  const store = createMemoryTableStore();
  await createTables({ store, kinds: KINDS });
  return { store, publishers: [] };
}

/** Lists the entity kinds whose tables this API opens. */
export const KINDS: readonly EntityKind[] = [customerKind];
