// What a replicator is made of, for each data access: the parts in order, then how each is made. The only file
// that knows the container.
import {
  type Applier,
  type ArchiveRounds,
  archiveInRounds,
  type ChangePublisher,
  type Clock,
  createAppliedClaim,
  createApplier,
  createHybridClock,
  createRelay,
  createReplicator,
  type EntityKind,
  finishAtOnce,
  isReplicated,
  type Lease,
  otherRowsKind,
  type PeerLink,
  type Randomness,
  type Relay,
  type Replicator,
  rowsKind,
  type TableStore,
} from '@tandem/core';
import { createWriterId, type Logger } from '@tandem/service-kit';
import {
  createStoreProbe,
  createTableFragments,
  createTableLease,
  createTombstoneHorizons,
  MIRROR_LEASE,
} from '@tandem/storage';
import { type Telemetry, traceApplier, traceArchive, tracePublisher } from '@tandem/telemetry';
import { asFunction, createContainer, InjectionMode } from 'awilix';
import { type Bus, type OpenSource, openStore } from '../connections.ts';
import { createPeerLinks } from '../data-access.ts';
import { type PreparedRegion } from '../prepare-region.ts';
import { type DataAccess, type RegionSettings } from '../region-settings.ts';
import { createRegionTables, type RegionTables } from '../region-tables.ts';
import { type Activity, createActivity } from './activity.ts';
import { createDrillRest, releaseLeases, restDuringDrill } from './drill-rest.ts';
import { createCopyDuty } from './duties/copy-duty.ts';
import { createMirrorDuty } from './duties/mirror-duty.ts';
import {
  createArchiveSweeper,
  createBusyOutboxes,
  createDeadLetterDuty,
  createFragmentDuty,
  createReceiveDuty,
  createSweepDuty,
} from './duties/queue-duties.ts';
import {
  createHeartbeatDuty,
  createRegionConfigurationDuty,
  createRegionTombstoneDuty,
  ownQueueOf,
} from './duties/region-duties.ts';
import { createRetentionDuty } from './duties/retention-duty.ts';
import { createStatusLogDuty, type Duty } from './duties/run-duties.ts';
import {
  type ObservedReceiver,
  type ObservedStatus,
  type ObservedSweeper,
  observeReceiver,
  observeStatus,
  observeSweeper,
} from './observed-ports.ts';

/** Returns undefined where a replicator has nothing to do. Throws `CONFIGURATION_INVALID`. */
export function composeReplicator(options: ReplicatorPartsOptions): ReplicatorParts | undefined {
  const container = createContainer<Record<DataAccess, ReplicatorParts | undefined>>({
    injectionMode: InjectionMode.PROXY,
    strict: true,
  });
  // The container chooses by the setting `Customer.DataAccess`; only what is chosen is made.
  container.register({
    'multi-region': asFunction(() => composeMultiRegion(options)),
    'single-region': asFunction(() => composeSingleRegion(options)),
    memory: asFunction(() => undefined),
  });
  return container.resolve(options.opened.settings.dataAccess);
}

function composeMultiRegion(options: ReplicatorPartsOptions): ReplicatorParts {
  const { bus, clock, logger, opened, tracer } = options;
  const common = commonParts(options);
  const { activity, tables, status, links } = common;
  const receiver = observeReceiver(bus.createReceiver(ownQueueOf(opened)));
  const rounds = createRegionArchiveRounds({ clock, tables });
  const applier = traceApplier(createRegionApplier({ ...options, ...common, rounds }), tracer);
  const replicator = createRegionReplicator({ ...options, ...common, receiver, rounds, applier });
  const sweeper = observeSweeper(replicator);
  const receiveDuty = createReceiveDuty({
    replicator,
    activity,
    ensureQueue: () => bus.ensureQueue(ownQueueOf(opened)),
  });
  const drillRest = createDrillRest({ drill: tables.drill, clock, logger });
  return toParts(options, {
    ...common,
    receiver,
    sweeper,
    drain: () => replicator.drain(),
    // The sweep goes on: what was written here still reaches the peers, and they stay sure of it.
    duties: [
      restDuringDrill(receiveDuty, { rest: drillRest, clock }),
      createHeartbeatDuty({ replicator, drillRest }),
      createDeadLetterDuty({ receiver }),
      createFragmentDuty({ ...options, ...common }),
      createStatusLogDuty({
        clock,
        logger,
        links,
        driftMsMax: common.settings.driftMsMax,
        status,
        sweeper,
        receiver,
        activity,
      }),
    ],
  });
}

function composeSingleRegion(options: ReplicatorPartsOptions): ReplicatorParts {
  return toParts(options, {
    ...commonParts(options),
    receiver: undefined,
    sweeper: undefined,
    drain: async () => undefined,
    duties: [],
  });
}

interface CommonParts {
  readonly settings: RegionSettings;
  readonly writer: string;
  readonly activity: Activity;
  readonly tables: RegionTables;
  readonly status: ObservedStatus;
  readonly sweepLease: Lease;
  readonly tombstoneLease: Lease;
  readonly retentionLease: Lease;
  readonly copyLease: Lease;
  readonly mirrorLease: Lease;
  readonly publishers: readonly ChangePublisher[];
  readonly links: readonly PeerLink[];
  readonly relay: Relay;
}

function commonParts(options: ReplicatorPartsOptions): CommonParts {
  const { store, kinds, clock, randomness, logger, bus, tracer } = options;
  const { settings } = options.opened;
  const writer = createWriterId(randomness);
  const lease = (name: string): Lease => createTableLease({ store, clock, name, holder: writer });
  const tables = createRegionTables({ store, kinds, ...settings });
  const publishers = (options.links === undefined ? settings.peers : []).map((peer) =>
    tracePublisher(bus.createPublisher({ ...peer, connection: peer.connection.reveal() }), tracer),
  );
  const links =
    options.links ?? createPeerLinks({ publishers, clock, randomness, logger, settings });
  return {
    settings,
    writer,
    activity: createActivity({ clock, logger, driftMsMax: settings.driftMsMax }),
    tables,
    status: observeStatus(tables.status),
    sweepLease: lease('sweep'),
    tombstoneLease: lease('tombstones'),
    retentionLease: lease('retention'),
    copyLease: lease('copy'),
    mirrorLease: lease(MIRROR_LEASE),
    publishers,
    links,
    relay: createRelay({
      finish: finishAtOnce({
        archive: traceArchive(tables.archive, tracer),
        outboxes: tables.outboxes,
      }),
      links,
    }),
  };
}

/** Adds the duties of any data access; without a sweeper of its own what is left goes to the archive only. */
function toParts(
  options: ReplicatorPartsOptions,
  parts: CommonParts & Pick<ReplicatorParts, 'receiver' | 'sweeper' | 'drain' | 'duties'>,
): ReplicatorParts {
  const { clock, logger, opened, store } = options;
  const { activity, links, status, receiver, sweeper, publishers, sweepLease } = parts;
  const { tombstoneLease, retentionLease, copyLease, mirrorLease } = parts;
  const openSource = options.openSource ?? openStore;
  const leaseMs = SWEEP_LEASE_MS;
  const sweepDuty = createSweepDuty({
    sweeper: sweeper ?? createArchiveSweeper({ ...parts, store, clock, leaseMs }),
    activity,
    intervalMs: () => opened.configuration.get('Sweep.IntervalMs'),
  });
  return {
    activity,
    links,
    driftMsMax: parts.settings.driftMsMax,
    status,
    receiver,
    sweeper,
    drain: () => parts.drain(),
    duties: [
      sweepDuty,
      ...parts.duties,
      createRegionTombstoneDuty({ ...options, ...parts }),
      createRetentionDuty({ ...options, ...parts }),
      createCopyDuty({ ...options, ...parts, openSource }),
      createMirrorDuty({ ...options, ...parts, openSource }),
      createRegionConfigurationDuty({ logger, opened }),
    ],
    releaseLeases: () =>
      releaseLeases([sweepLease, tombstoneLease, retentionLease, copyLease, mirrorLease], logger),
    async closeBus() {
      await receiver?.close();
      await Promise.all(publishers.map((publisher) => publisher.close()));
    },
  };
}

/** Short, since until it ends no other process sweeps for one that was killed. */
const SWEEP_LEASE_MS = 10_000;
/** Often enough for all but the shortest locks that a queue may have been given by someone else. */
const LOCK_RENEW_MS = 10_000;

/** Archives what is received: many change sets of a bucket share a transaction. */
function createRegionArchiveRounds(options: {
  readonly clock: Clock;
  readonly tables: RegionTables;
}): ArchiveRounds {
  return archiveInRounds({ archive: options.tables.archive, clock: options.clock });
}

interface RegionApplierOptions {
  readonly store: TableStore;
  readonly region: string;
  readonly writer: string;
  readonly clock: Clock;
  readonly tables: RegionTables;
  readonly rounds: ArchiveRounds;
  readonly settings: RegionSettings;
  readonly activity: Activity;
}

function createRegionApplier(options: RegionApplierOptions): Applier {
  const { region, writer, clock, tables, settings, activity } = options;
  const { conflicts } = tables;
  // What is not replicated comes from nobody.
  const replicas = new Map([...tables.replicas].filter(([entityKind]) => isReplicated(entityKind)));
  const { driftMsMax, tombstoneAgeMs } = settings;
  const { onConflict, onDrift } = activity;
  const nowMs = (): number => clock.nowMs();
  const hybridClock = createHybridClock({ region, writer, nowMs, driftMsMax, onDrift });
  return createApplier({
    region,
    regions: settings.regions,
    replicas,
    archive: options.rounds,
    conflicts,
    clock,
    hybridClock,
    tombstoneAgeMs,
    tombstones: new Map(
      [...replicas.keys()]
        .filter((entityKind) => entityKind === rowsKind.name || entityKind === otherRowsKind.name)
        .map((entityKind) => [
          entityKind,
          createTombstoneHorizons({ store: options.store, entityKind }),
        ]),
    ),
    store: options.store,
    driftMsMax,
    onConflict,
  });
}

interface RegionReplicatorOptions {
  readonly store: TableStore;
  readonly region: string;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly tables: RegionTables;
  readonly settings: RegionSettings;
  readonly activity: Activity;
  readonly links: readonly PeerLink[];
  readonly receiver: ObservedReceiver;
  readonly status: ObservedStatus;
  readonly sweepLease: Lease;
  readonly relay: Relay;
  readonly applier: Applier;
  readonly rounds: ArchiveRounds;
  readonly opened: PreparedRegion;
}

function createRegionReplicator(options: RegionReplicatorOptions): Replicator {
  const { region, clock, receiver, links, status, settings, activity } = options;
  const { outboxes } = options.tables;
  return createReplicator({
    region,
    clock,
    receiver,
    links,
    status,
    lease: options.sweepLease,
    leaseMs: SWEEP_LEASE_MS,
    readiness: settings.readiness,
    overriddenSettings: options.opened.overridden,
    conflicts: options.tables.conflicts,
    notices: activity.notices,
    appliedClaim: createAppliedClaim({
      status,
      receiver,
      hold: options.tables.hold,
      clock,
      driftMsMax: settings.driftMsMax,
    }),
    sweep: {
      outboxes: createBusyOutboxes({ store: options.store, clock, outboxes }),
      relay: options.relay,
      graceMs: settings.sweepGraceMs,
    },
    inbound: {
      applier: options.applier,
      fragments: createTableFragments({ ...options, archive: options.tables.archive }),
      randomness: options.randomness,
      lockRenewMs: LOCK_RENEW_MS,
      rounds: options.rounds,
      probe: createStoreProbe({ store: options.store }),
      onDeadLettered: activity.onDeadLettered,
      onOutage: activity.onOutage,
    },
  });
}

/** What a replicator is made from. */
interface ReplicatorPartsOptions {
  readonly region: string;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly logger: Logger;
  readonly store: TableStore;
  readonly bus: Bus;
  readonly kinds: readonly EntityKind[];
  readonly opened: PreparedRegion;
  readonly tracer?: Telemetry['tracer'];
  /** Opens the accounts of old tables; those of Azure Table Storage by default. */
  readonly openSource?: OpenSource | undefined;
  /** Links to all peers, whose publishers somebody else closes; made here by default. */
  readonly links?: readonly PeerLink[] | undefined;
}

export interface ReplicatorParts {
  readonly duties: readonly Duty[];
  readonly activity: Activity;
  readonly links: readonly PeerLink[];
  /** Is the setting `Clock.DriftMsMax`, in milliseconds. */
  readonly driftMsMax: number;
  /** Undefined in a region without peers. */
  readonly receiver: ObservedReceiver | undefined;
  readonly status: ObservedStatus;
  /** Undefined in a region without peers. */
  readonly sweeper: ObservedSweeper | undefined;
  /** Resolves when all that was received is settled or given up. Never rejects. */
  drain(): Promise<void>;
  /** Lets another process go on at once. Only a saving, so what fails is only logged. */
  releaseLeases(): Promise<void>;
  /** Closes the receiver first, then the senders. */
  closeBus(): Promise<void>;
}
