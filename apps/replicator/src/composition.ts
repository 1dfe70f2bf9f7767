// What a replicator is made of, for each data access. The only file that knows the container.
import {
  type Applier,
  type ArchiveRounds,
  type ChangePublisher,
  createRelay,
  finishAtOnce,
  type Lease,
  type PeerLink,
  type Relay,
  type Replicator,
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
import { asFunction, asValue, createContainer, InjectionMode, type Resolver } from 'awilix';
import {
  type Composition,
  type CompositionOptions,
  createRegionApplier,
  createRegionArchiveRounds,
  createRegionReplicator,
  SWEEP_LEASE_MS,
} from './composition/create-replication.ts';
import {
  createDrillRest,
  type DrillRest,
  releaseLeases,
  restDuringDrill,
} from './drill/drill-rest.ts';
import type { Duty } from './duties/duty.ts';
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
  type ObservedReceiver,
  type ObservedStatus,
  type ObservedSweeper,
  observeReceiver,
  observeStatus,
  observeSweeper,
} from './observe/observed-ports.ts';

interface CommonCradle extends CompositionOptions {
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
  readonly leaseMs: number;
  readonly sweeper: Pick<Replicator, 'sweepOnce'>;
  readonly sweepDuty: Duty;
  readonly tombstoneDuty: Duty;
  readonly configurationDuty: Duty;
}

interface MultiRegionCradle extends CommonCradle {
  readonly receiver: ObservedReceiver;
  readonly rounds: ArchiveRounds;
  readonly applier: Applier;
  readonly replicator: Replicator;
  readonly drillRest: DrillRest;
  readonly receiveDuty: Duty;
  readonly heartbeatDuty: Duty;
  readonly deadLetterDuty: Duty;
  readonly sweeper: ObservedSweeper;
  readonly statusLogDuty: Duty;
}

/** Undefined where a replicator has nothing to do. Throws `CONFIGURATION_INVALID`. */
export function compose(options: CompositionOptions): Composition | undefined {
  return COMPOSITIONS[options.opened.settings.dataAccess]?.(options);
}

const COMPOSITIONS: Record<DataAccess, ((options: CompositionOptions) => Composition) | undefined> =
  {
    'multi-region': composeMultiRegion,
    'single-region': composeSingleRegion,
    memory: undefined,
  };

function composeMultiRegion(options: CompositionOptions): Composition {
  const cradle = resolveAll<MultiRegionCradle>({
    ...commonParts(options),
    receiver: singleton(({ bus, opened }: MultiRegionCradle) =>
      observeReceiver(bus.createReceiver(ownQueueOf(opened))),
    ),
    rounds: singleton(createRegionArchiveRounds),
    applier: singleton((cradle: MultiRegionCradle) =>
      traceApplier(createRegionApplier(cradle), options.tracer),
    ),
    replicator: singleton(createRegionReplicator),
    sweeper: singleton(({ replicator }: MultiRegionCradle) => observeSweeper(replicator)),
    receiveDuty: singleton(({ replicator, activity, bus, opened }: MultiRegionCradle) =>
      createReceiveDuty({
        replicator,
        activity,
        ensureQueue: () => bus.ensureQueue(ownQueueOf(opened)),
      }),
    ),
    drillRest: singleton(({ tables, clock, logger }: MultiRegionCradle) =>
      createDrillRest({ drill: tables.drill, clock, logger }),
    ),
    heartbeatDuty: singleton(createHeartbeatDuty),
    deadLetterDuty: singleton(createDeadLetterDuty),
    statusLogDuty: singleton(createStatusLogDuty),
  });
  const { receiver, heartbeatDuty, deadLetterDuty, statusLogDuty, drillRest: rest } = cradle;
  // The sweep goes on: what was written here still reaches the peers, and they stay sure of it.
  const receiveDuty = restDuringDrill(cradle.receiveDuty, { rest, clock: cradle.clock });
  return toComposition(cradle, {
    receiver,
    sweeper: cradle.sweeper,
    drain: () => cradle.replicator.drain(),
    duties: [receiveDuty, heartbeatDuty, deadLetterDuty, statusLogDuty],
  });
}

function composeSingleRegion(options: CompositionOptions): Composition {
  const cradle = resolveAll<CommonCradle>({
    ...commonParts(options),
    sweeper: singleton(createArchiveSweeper),
  });
  return toComposition(cradle, {
    receiver: undefined,
    sweeper: undefined,
    drain: nothingToDrain,
    duties: [],
  });
}

function nothingToDrain(): Promise<void> {
  return Promise.resolve();
}

function commonParts(options: CompositionOptions): Parts<Omit<CommonCradle, 'sweeper' | 'tracer'>> {
  const lease = (name: string) =>
    singleton(({ store, clock, writer }: CommonCradle) =>
      createTableLease({ store, clock, name, holder: writer }),
    );
  return {
    region: asValue(options.region),
    clock: asValue(options.clock),
    randomness: asValue(options.randomness),
    logger: asValue(options.logger),
    store: asValue(options.store),
    bus: asValue(options.bus),
    kinds: asValue(options.kinds),
    opened: asValue(options.opened),
    settings: asValue(options.opened.settings),
    leaseMs: asValue(SWEEP_LEASE_MS),
    writer: singleton(({ randomness }: CommonCradle) => createWriterId(randomness)),
    activity: singleton(createActivity),
    tables: singleton(({ store, kinds, settings }: CommonCradle) =>
      createRegionTables({ store, kinds, ...settings }),
    ),
    status: singleton(({ tables }: CommonCradle) => observeStatus(tables.status)),
    sweepLease: lease('sweep'),
    tombstoneLease: lease('tombstones'),
    publishers: singleton(({ bus, settings }: CommonCradle) =>
      settings.peers.map(({ region, connection, queue }) =>
        tracePublisher(
          bus.createPublisher({ region, connection: connection.reveal(), queue }),
          options.tracer,
        ),
      ),
    ),
    links: singleton(createPeerLinks),
    relay: singleton(({ tables, links }: CommonCradle) =>
      createRelay({
        finish: finishAtOnce({
          archive: traceArchive(tables.archive, options.tracer),
          outboxes: tables.outboxes,
        }),
        links,
      }),
    ),
    sweepDuty: singleton(({ sweeper, activity, opened }: CommonCradle) =>
      createSweepDuty({
        sweeper,
        activity,
        intervalMs: () => opened.configuration.get('Sweep.IntervalMs'),
      }),
    ),
    tombstoneDuty: singleton(createRegionTombstoneDuty),
    configurationDuty: singleton(createRegionConfigurationDuty),
  };
}

/** A part that is missing does not compile. */
type Parts<Cradle> = { readonly [Name in keyof Cradle]: Resolver<Cradle[Name]> };

function singleton<Part>(create: (cradle: MultiRegionCradle) => Part): Resolver<Part> {
  return asFunction(create).singleton();
}

/** Resolves everything at once, so that a part that cannot be made fails at the start. */
function resolveAll<Cradle extends object>(parts: Parts<Cradle>): Cradle {
  const container = createContainer({ injectionMode: InjectionMode.PROXY, strict: true });
  container.register(parts);
  const resolved = Object.keys(parts).map((name) => [name, container.resolve<unknown>(name)]);
  return Object.fromEntries(resolved) as Cradle;
}

function toComposition(
  cradle: CommonCradle,
  own: Pick<Composition, 'receiver' | 'sweeper' | 'drain' | 'duties'>,
): Composition {
  const { activity, links, status, publishers, logger, sweepLease, tombstoneLease } = cradle;
  const { sweepDuty, tombstoneDuty, configurationDuty } = cradle;
  return {
    activity,
    links,
    status,
    receiver: own.receiver,
    sweeper: own.sweeper,
    drain: own.drain,
    duties: [sweepDuty, ...own.duties, tombstoneDuty, configurationDuty],
    releaseLeases: () => releaseLeases([sweepLease, tombstoneLease], logger),
    async closeBus() {
      await own.receiver?.close();
      await Promise.all(publishers.map((publisher) => publisher.close()));
    },
  };
}
