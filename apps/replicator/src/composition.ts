// What a replicator is made of, for each data access. The only file that knows the container.
import {
  type ChangePublisher,
  createRelay,
  finishAtOnce,
  type Lease,
  type PeerLink,
  type Relay,
} from '@tandem/core';
import {
  createPeerLinks,
  createRegionTables,
  type DataAccess,
  type RegionSettings,
  type RegionTables,
} from '@tandem/region-kit';
import { createWriterId } from '@tandem/service-kit';
import { createTableLease } from '@tandem/storage';
import { traceApplier, traceArchive, tracePublisher } from '@tandem/telemetry';
import { asFunction, createContainer, InjectionMode } from 'awilix';
import {
  type Composition,
  type CompositionOptions,
  createRegionApplier,
  createRegionArchiveRounds,
  createRegionReplicator,
  SWEEP_LEASE_MS,
} from './composition/create-replication.ts';
import { createDrillRest, releaseLeases, restDuringDrill } from './drill/drill-rest.ts';
import {
  createArchiveSweeper,
  createDeadLetterDuty,
  createReceiveDuty,
  createSweepDuty,
} from './duties/queue-duties.ts';
import {
  createHeartbeatDuty,
  createRegionConfigurationDuty,
  createRegionTombstoneDuty,
  ownQueueOf,
} from './duties/region-duties.ts';
import { createStatusLogDuty } from './duties/run-duties.ts';
import { type Activity, createActivity } from './observe/activity.ts';
import {
  type ObservedStatus,
  observeReceiver,
  observeStatus,
  observeSweeper,
} from './observe/observed-ports.ts';

/** Returns undefined where a replicator has nothing to do. Throws `CONFIGURATION_INVALID`. */
export function compose(options: CompositionOptions): Composition | undefined {
  const container = createContainer<Record<DataAccess, Composition | undefined>>({
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

function composeMultiRegion(options: CompositionOptions): Composition {
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
  return toComposition(options, {
    ...common,
    receiver,
    sweeper,
    drain: () => replicator.drain(),
    // The sweep goes on: what was written here still reaches the peers, and they stay sure of it.
    duties: [
      restDuringDrill(receiveDuty, { rest: drillRest, clock }),
      createHeartbeatDuty({ replicator, drillRest }),
      createDeadLetterDuty({ receiver }),
      createStatusLogDuty({ clock, logger, links, status, sweeper, receiver }),
    ],
  });
}

function composeSingleRegion(options: CompositionOptions): Composition {
  return toComposition(options, {
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
  readonly publishers: readonly ChangePublisher[];
  readonly links: readonly PeerLink[];
  readonly relay: Relay;
}

function commonParts(options: CompositionOptions): CommonParts {
  const { store, kinds, clock, randomness, logger, bus, tracer } = options;
  const { settings } = options.opened;
  const writer = createWriterId(randomness);
  const lease = (name: string): Lease => createTableLease({ store, clock, name, holder: writer });
  const tables = createRegionTables({ store, kinds, ...settings });
  const publishers = settings.peers.map(({ region, connection, queue }) =>
    tracePublisher(bus.createPublisher({ region, connection: connection.reveal(), queue }), tracer),
  );
  const links = createPeerLinks({ publishers, clock, randomness, logger, settings });
  return {
    settings,
    writer,
    activity: createActivity({ clock, logger }),
    tables,
    status: observeStatus(tables.status),
    sweepLease: lease('sweep'),
    tombstoneLease: lease('tombstones'),
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
function toComposition(
  options: CompositionOptions,
  parts: CommonParts & Pick<Composition, 'receiver' | 'sweeper' | 'drain' | 'duties'>,
): Composition {
  const { clock, logger, opened } = options;
  const { activity, links, status, receiver, sweeper, publishers, sweepLease } = parts;
  const { tombstoneLease } = parts;
  const leaseMs = SWEEP_LEASE_MS;
  const sweepDuty = createSweepDuty({
    sweeper: sweeper ?? createArchiveSweeper({ ...parts, clock, leaseMs }),
    activity,
    intervalMs: () => opened.configuration.get('Sweep.IntervalMs'),
  });
  return {
    activity,
    links,
    status,
    receiver,
    sweeper,
    drain: () => parts.drain(),
    duties: [
      sweepDuty,
      ...parts.duties,
      createRegionTombstoneDuty({ ...options, ...parts }),
      createRegionConfigurationDuty({ logger, opened }),
    ],
    releaseLeases: () => releaseLeases([sweepLease, tombstoneLease], logger),
    async closeBus() {
      await receiver?.close();
      await Promise.all(publishers.map((publisher) => publisher.close()));
    },
  };
}
