// One region in one process: what serves its tables, and, where it is asked to, what replicates them. From the
// options to what is opened, each part from those above it.
import {
  type AppError,
  believedPeers,
  type Clock,
  createHybridClock,
  createNotices,
  createRelay,
  createRelayQueue,
  type EntityKind,
  finishLate,
  joinNotices,
  type Notices,
  type OutboxEntry,
  type PeerLink,
  peersOfKind,
  type RelayQueue,
  type ReplicationProgress,
  type TableStore,
  TransientError,
  type TypedKind,
} from '@tandem/core';
import {
  createShutdown,
  createWriterId,
  type ShutdownStep,
  untilTurnEnds,
} from '@tandem/service-kit';
import {
  ARCHIVE_TABLE,
  createReplicatedTable,
  createRowMemory,
  type SettingValue,
  type TableCatalogue,
  type tandemSettings,
} from '@tandem/storage';
import { traceArchive, tracePublisher } from '@tandem/telemetry';
import { type Acknowledgements, createAcknowledgements } from './consistency/acknowledgements.ts';
import { createSharedRead } from './consistency/receipts.ts';
import { createPeerLinks, type DataAccess, openDataAccess } from './data-access.ts';
import { createDeclared, openClientTables, type StatesOptions } from './open-client-tables.ts';
import { type FoundRegionTable, type OpenTables, type RegionOpenTable } from './open-tables.ts';
import { type PreparedRegion, prepareRegion, retryOpening } from './prepare-region.ts';
import {
  createProcessReadiness,
  createRegionReadiness,
  createServing,
  type ProcessReadiness,
  type RegionReadiness,
} from './readiness/region-readiness.ts';
import {
  type RegionKinds,
  type RegionOptions,
  type RegionSetup,
  readOptions,
} from './region-options.ts';
import { readReadinessSettings } from './region-settings.ts';
import { openRegionTable, type RegionTable } from './region-table.ts';
import { bucketCountOf, createRegionTables, kindsIn, type RegionTables } from './region-tables.ts';
import {
  createReplicatorProcess,
  type ReplicatorProcess,
} from './replication/replicator-process.ts';
import type { ReplicatorView } from './replication/replicator-status.ts';
import {
  createSessions,
  type OpenSession,
  type RegionSession,
  type SessionOptions,
} from './session.ts';

export interface Region<T extends RegionKinds> {
  /** Throws `TABLE_UNAVAILABLE` until the region is open. */
  readonly tables: {
    readonly [N in keyof T]: T[N] extends TypedKind ? RegionTable<T[N]> : RegionOpenTable;
  };
  /** The tables of clients: made, changed, deleted and restored here, and so in every region. Throws as `tables` does. */
  readonly catalogue: TableCatalogue;
  /**
   * Returns the table that the catalogue has under this name at each call, in any case. Throws
   * `TABLE_REQUEST_INVALID` for what is no name of a table, and as `tables` does.
   */
  openTable(name: string): RegionOpenTable;
  /** Returns the table that is there now, with what the catalogue says of it; undefined where there is none. */
  findTable(name: string): Promise<FoundRegionTable | undefined>;
  /**
   * Resolves to the time up to which everything that was written in the other regions is here, in milliseconds
   * since the epoch; undefined where nobody knows. Throws what reading throws.
   */
  syncedMs(): Promise<number | undefined>;
  /**
   * Opens the region, however long its storage account is out of reach; resolves without when it is stopped
   * first. To be called once. Rejects with `CONFIGURATION_INVALID` for what a person must mend.
   */
  open(): Promise<void>;
  /**
   * Begins or continues what one caller reads and writes, so that he never sees anything older than what he has
   * seen. Throws `SESSION_INVALID`, and `TABLE_UNAVAILABLE` until the region is open.
   */
  session(options?: SessionOptions): RegionSession<T>;
  /** Returns a setting as it is now; throws `TABLE_UNAVAILABLE` until the region is open. */
  setting<N extends keyof typeof tandemSettings>(name: N): SettingValue<(typeof tandemSettings)[N]>;
  /** Whether the region may take traffic; never rejects, and answers within 3 s. */
  readiness(): Promise<ProcessReadiness>;
  /** Whether this process serves, however its region is. */
  serving(): ProcessReadiness;
  /** Says how the duties are; undefined where another process runs them. */
  readonly replication: ReplicatorView | undefined;
  /** What this process has met and an operator has to see to. */
  notices(): Pick<Notices, 'current' | 'count'>;
  /** Change sets that wait in this process to be sent; the outbox holds them too. */
  relayQueueLength(): number;
  /** Returns what lets finish what is under way, in order: after readiness has turned red, `requests`. */
  drain(...requests: readonly ShutdownStep[]): readonly ShutdownStep[];
  /** Close what was open, in order. The tables need no closing: nothing is held there. */
  readonly close: readonly ShutdownStep[];
  /** Runs `drain`, then `close`. Resolves to whether all steps were done in time. Never rejects. */
  stop(): Promise<boolean>;
}

const SHUTDOWN_MS_DEFAULT = 20_000;
/** A step that waits gives up before its deadline, in order to say what it leaves undone. */
const PATIENCE = 0.8;

/** Opens a region, and resolves once its tables can be used. Throws as `Region.open` does. */
export async function openRegion<T extends RegionKinds>(
  options: RegionOptions<T>,
): Promise<Region<T>> {
  const region = createRegion(options);
  await region.open();
  return region;
}

/**
 * Makes a region that is opened later, for a process that says meanwhile that it is not ready. Throws
 * `CONFIGURATION_INVALID` for a name or a connection, and `ENTITY_KIND_INVALID` for tables, that cannot be used.
 */
export function createRegion<T extends RegionKinds>(given: RegionOptions<T>): Region<T> {
  const setup = readOptions(given);
  const { clock, logger, stopping } = setup;
  let served: Served | undefined;
  const open = (): Served => {
    if (served !== undefined) return served;
    throw new TransientError('TABLE_UNAVAILABLE', 'The tables of this region are not open yet.');
  };
  const replicator = given.replicate === true ? createDuties(setup, open) : undefined;
  const seen = { region: () => served?.readiness, stopping: stopping.signal };
  const drain = (...requests: readonly ShutdownStep[]): readonly ShutdownStep[] => [
    { name: 'turn readiness red', run: () => stopping.abort() },
    ...requests,
    ...(replicator?.drain ?? []),
    {
      name: 'drain the relay',
      run: (deadlineMs) => drainRelay(served, clock, Math.floor(deadlineMs * PATIENCE)),
    },
  ];
  const close: readonly ShutdownStep[] = [
    ...(replicator?.close ?? []),
    { name: 'close the senders', run: () => closeSenders(served) },
  ];
  return {
    get tables() {
      return open().tables as Region<T>['tables'];
    },
    async open() {
      const { signal } = stopping;
      const context = { clock, randomness: setup.randomness, logger: setup.quiet, signal };
      served = await retryOpening(async () => serve(setup, await prepare(setup)), context);
      const outcome = served === undefined ? undefined : await replicator?.start();
      if (outcome?.kind === 'invalid') throw outcome.error;
    },
    get catalogue() {
      return open().catalogue;
    },
    openTable: (name) => open().openTables.open(name),
    findTable: async (name) => open().openTables.find(name),
    syncedMs: async () => open().syncedMs(),
    session: (asked = {}) => open().openSession(asked) as RegionSession<T>,
    setting: (name) => open().opened.configuration.get(name),
    readiness: createProcessReadiness(seen),
    serving: createServing(seen),
    replication: replicator,
    notices: () => joined(clock, [served?.notices, replicator?.notices()]),
    relayQueueLength: () => served?.relayQueue.length ?? 0,
    drain,
    close,
    async stop() {
      const deadlineMs = given.shutdownMs ?? SHUTDOWN_MS_DEFAULT;
      const shutdown = createShutdown({ logger, clock, deadlineMs, drain: drain(), close });
      return (await shutdown.run('the region is stopped')) === 0;
    },
  };
}

async function drainRelay(served: Served | undefined, clock: Clock, waitMs: number): Promise<void> {
  // A timer that nobody waits for any more would keep the process alive until it fires.
  const drained = new AbortController();
  try {
    await served?.relayQueue.drain(clock.sleep(waitMs, drained.signal));
  } finally {
    drained.abort();
  }
}

async function closeSenders(served: Served | undefined): Promise<void> {
  await Promise.all((served?.publishers ?? []).map((publisher) => publisher.close()));
}

const SETTINGS_AGE_MS_MAX = 30_000;

function prepare({ region, store, kinds, clock, environment, quiet }: RegionSetup) {
  return prepareRegion({
    region,
    store,
    kinds,
    clock,
    environment,
    refreshMs: SETTINGS_AGE_MS_MAX,
    onRefreshFailed: (error: AppError) =>
      quiet.warn({ event: 'settings-not-refreshed', error }, 'Settings stay as they were.'),
  });
}

/** The duties over what was opened for serving: one set of settings, and one link to each peer. */
function createDuties(setup: RegionSetup, open: () => Served): ReplicatorProcess {
  return createReplicatorProcess({
    ...setup,
    tracer: setup.tracing.tracer,
    prepared: () => open().opened,
    links: () => open().links,
  });
}

/** What serves the tables of an opened region. */
interface Served {
  readonly opened: PreparedRegion;
  readonly tables: Readonly<Record<string, RegionTable<TypedKind> | RegionOpenTable>>;
  readonly catalogue: TableCatalogue;
  readonly openTables: OpenTables;
  readonly syncedMs: () => Promise<number | undefined>;
  readonly readiness: RegionReadiness;
  readonly openSession: OpenSession;
  readonly relayQueue: RelayQueue;
  readonly publishers: DataAccess['publishers'];
  readonly links: readonly PeerLink[];
  readonly notices: Notices;
}

async function serve(given: RegionSetup, opened: PreparedRegion): Promise<Served> {
  const { settings } = opened;
  const setup = { ...given, kinds: kindsIn(given.kinds, settings) };
  const { region, kinds, clock, randomness, quiet: logger, tracing } = setup;
  const access = await openDataAccess({ ...setup, settings });
  const { store } = access;
  const publishers = access.publishers.map((one) => tracePublisher(one, tracing.tracer));
  const peers = publishers.map(({ peer }) => peer);
  const notices = openNotices(setup);
  // What writes remembers rows itself; through these they are only read.
  const tables = createRegionTables({
    ...settings,
    store,
    kinds,
    rowMemoryBytesMax: 0,
    onDamagedArchiveRow: ({ partitionKey, rowKey }, { code }) =>
      notices.note('row-foreign', `${ARCHIVE_TABLE}/${partitionKey}/${rowKey}`, code),
  });
  const links = createPeerLinks({ publishers, clock, randomness, settings, logger });
  const stopping = setup.stopping.signal;
  const acknowledgements = createAcknowledgements({ links, clock, stopping });
  const relayQueue = openRelayQueue(setup, { tables, links, acknowledgements });
  const onCommitted = (entry: OutboxEntry): void => {
    acknowledgements.committed(entry);
    relayQueue.offer(entry);
  };
  const shared = { region, peers, store, tables, opened, acknowledgements, clock, stopping };
  const statesOf = createStatesOpener(setup, { ...shared, notices, onCommitted });
  const { catalogue, openTables } = openClientTables(setup, { ...shared, notices, statesOf });
  await createDeclared(setup.tables, catalogue);
  const named = nameTables(
    setup.tables,
    (kind) => openRegionTable(kind, createReplicatedTable({ kind, ...statesOf(kind) }), shared),
    openTables,
  );
  const readProgress = createSharedRead(() => tables.status.read(), clock);
  const driftMsMax = (): number => opened.configuration.get('Clock.DriftMsMax');
  return {
    opened,
    tables: Object.fromEntries(named.map(([name, { table }]) => [name, table])),
    catalogue,
    openTables,
    syncedMs: () => readSyncedMs({ peers, clock, readProgress, driftMsMax }),
    openSession: createSessions({
      ...shared,
      tables: Object.fromEntries(named),
      openTables,
      regions: settings.regions,
      readProgress,
      skewMsMax: () => opened.configuration.get('Receipt.SkewMsMax'),
      driftMsMax,
    }),
    readiness: openReadiness(setup, shared),
    relayQueue,
    publishers,
    links,
    notices,
  };
}

function openNotices({ clock, quiet: logger }: RegionSetup): Notices {
  return createNotices({
    clock,
    onNew: ({ kind, subject, detail }) =>
      logger.error({ event: kind, subject, detail }, 'A row was skipped; see tandem doctor.'),
  });
}

type NamedTable =
  | { readonly form: 'typed'; readonly kind: TypedKind; readonly table: RegionTable<TypedKind> }
  | { readonly form: 'open'; readonly name: string; readonly table: RegionOpenTable };

/** Returns the tables by the names that a service has for them. */
function nameTables(
  tables: RegionKinds,
  openTyped: (kind: TypedKind) => RegionTable<TypedKind>,
  openTables: OpenTables,
): readonly (readonly [string, NamedTable])[] {
  return Object.entries(tables).map(([name, one]) => {
    if (one.form === 'typed') return [name, { form: 'typed', kind: one, table: openTyped(one) }];
    return [name, { form: 'open', name: one.name, table: openTables.open(one.name) }];
  });
}

interface SyncedOptions {
  readonly peers: readonly string[];
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly readProgress: (ageMsMax: number) => Promise<ReplicationProgress | undefined>;
  readonly driftMsMax: () => number;
}

/** A word of the peers is about a second old in any case. */
const SYNCED_AGE_MS_MAX = 250;

async function readSyncedMs(options: SyncedOptions): Promise<number | undefined> {
  const { peers, clock, readProgress, driftMsMax } = options;
  if (peers.length === 0) return clock.nowMs();
  const own = { nowMs: clock.nowMs(), driftMsMax: driftMsMax() };
  const known = believedPeers(await readProgress(SYNCED_AGE_MS_MAX), own);
  const passedMs = peers.map((name) => known.find(({ peer }) => peer === name)?.passedMs);
  return passedMs.includes(undefined) ? undefined : Math.min(...passedMs.map(Number));
}

interface ServingParts {
  readonly store: TableStore;
  readonly tables: RegionTables;
  readonly peers: readonly string[];
  readonly opened: PreparedRegion;
}

/** A point read is the cheapest question there is; no row has this key. */
const PROBED_BUCKET = '00';
const PROBED_ROW = '~probe';

function openReadiness(
  { kinds, clock, quiet: logger }: RegionSetup,
  { store, tables, peers, opened }: ServingParts,
): RegionReadiness {
  return createRegionReadiness({
    probeTable: () =>
      Promise.all(kinds.map(({ name }) => store.get(name, PROBED_BUCKET, PROBED_ROW))),
    status: tables.status,
    drill: tables.drill,
    hold: tables.hold,
    hasPeers: peers.length > 0,
    // Read anew for each probe: an operator may change them while the process runs.
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
  { clock, quiet: logger, tracing }: RegionSetup,
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

interface WritingParts extends ServingParts {
  readonly notices: Notices;
  readonly onCommitted: (entry: OutboxEntry) => void;
}

/** Returns what the table of a kind is opened with. All tables of a process stamp by one clock, as one writer. */
function createStatesOpener(
  { region, clock, randomness, quiet: logger, tracing }: RegionSetup,
  { store, tables, peers, opened, notices, onCommitted }: WritingParts,
): (kind: EntityKind) => StatesOptions {
  const { rowMemoryBytesMax, wireVersion, driftMsMax } = opened.settings;
  const hybridClock = createHybridClock({
    region,
    writer: createWriterId(randomness),
    nowMs: () => clock.nowMs(),
    driftMsMax,
    onDrift: (report) =>
      logger.warn({ event: 'clock-drift', ...report }, 'A stamp is far ahead of the clock.'),
  });
  return (kind) => ({
    store,
    archive: tables.archive,
    hybridClock,
    clock,
    randomness,
    bucketCount: bucketCountOf(kind.name, opened.settings),
    memory: createRowMemory({ bytesMax: rowMemoryBytesMax }),
    wireVersion,
    peers: peersOfKind(kind.name, peers),
    traceOf: tracing.traceOf,
    gather: untilTurnEnds,
    onDamaged: ({ partitionKey, rowKey, problem }) =>
      notices.note('row-foreign', `${kind.name}/${partitionKey}/${rowKey}`, problem),
    onCommitted,
  });
}

/** Joins both halves of the process: the newest word on a subject counts, whichever half it is of. */
function joined(
  clock: Clock,
  parts: readonly (Notices | undefined)[],
): Pick<Notices, 'current' | 'count'> {
  const met = parts.filter((one) => one !== undefined);
  return {
    current: () =>
      joinNotices(
        met.map((one) => one.current()),
        clock.nowMs(),
      ),
    count: (kind) => met.reduce((sum, one) => sum + one.count(kind), 0),
  };
}
