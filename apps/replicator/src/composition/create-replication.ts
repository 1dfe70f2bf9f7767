import {
  type Applier,
  type ArchiveRounds,
  archiveInRounds,
  type Clock,
  createAppliedClaim,
  createApplier,
  createHybridClock,
  createReplicator,
  type EntityKind,
  type Lease,
  type PeerLink,
  type Randomness,
  type Relay,
  type Replicator,
  type TableStore,
} from '@tandem/core';
import type { OpenedRegion, RegionSettings, RegionTables } from '@tandem/region-kit';
import type { Logger } from '@tandem/service-kit';
import { createStoreProbe } from '@tandem/storage';
import type { Telemetry } from '@tandem/telemetry';
import type { Bus } from '../bus/service-bus.ts';
import type { Duty } from '../duties/duty.ts';
import type { Activity } from '../observe/activity.ts';
import type {
  ObservedReceiver,
  ObservedStatus,
  ObservedSweeper,
} from '../observe/observed-ports.ts';

/** Short, since until it ends no other process sweeps for one that was killed. */
export const SWEEP_LEASE_MS = 10_000;
/** Often enough for all but the shortest locks that a queue may have been given by someone else. */
const LOCK_RENEW_MS = 10_000;

/** Archives what is received: many change sets of a bucket share a transaction. */
export function createRegionArchiveRounds(options: {
  readonly clock: Clock;
  readonly tables: RegionTables;
}): ArchiveRounds {
  return archiveInRounds({ archive: options.tables.archive, clock: options.clock });
}

export interface RegionApplierOptions {
  readonly region: string;
  readonly writer: string;
  readonly clock: Clock;
  readonly tables: RegionTables;
  readonly rounds: ArchiveRounds;
  readonly settings: RegionSettings;
  readonly activity: Activity;
}

export function createRegionApplier(options: RegionApplierOptions): Applier {
  const { region, writer, clock, tables, settings, activity } = options;
  const { replicas, conflicts } = tables;
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
    onConflict,
  });
}

export interface RegionReplicatorOptions {
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
}

export function createRegionReplicator(options: RegionReplicatorOptions): Replicator {
  const { region, clock, receiver, links, status, settings, activity } = options;
  return createReplicator({
    region,
    clock,
    receiver,
    links,
    status,
    lease: options.sweepLease,
    leaseMs: SWEEP_LEASE_MS,
    readiness: settings.readiness,
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
      outboxes: [...options.tables.outboxes.values()],
      relay: options.relay,
      graceMs: settings.sweepGraceMs,
    },
    inbound: {
      applier: options.applier,
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
export interface CompositionOptions {
  readonly region: string;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly logger: Logger;
  readonly store: TableStore;
  readonly bus: Bus;
  readonly kinds: readonly EntityKind[];
  readonly opened: OpenedRegion;
  readonly tracer?: Telemetry['tracer'];
}

export interface Composition {
  readonly duties: readonly Duty[];
  readonly activity: Activity;
  readonly links: readonly PeerLink[];
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
