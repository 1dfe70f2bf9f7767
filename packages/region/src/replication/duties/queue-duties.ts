import {
  AppError,
  type ChangeReceiver,
  type Clock,
  isReplicated,
  type Lease,
  type Outbox,
  type Relay,
  type Replicator,
  sweep,
  type TableStore,
} from '@tandem/core';
import { isCatalogueUsed, tidyFragments } from '@tandem/storage';
import type { RegionSettings } from '../../region-settings.ts';
import { isOwnKind, type RegionTables } from '../../region-tables.ts';
import type { Activity } from '../activity.ts';
import type { Duty } from './run-duties.ts';

interface ReceiveDutyOptions {
  readonly replicator: Pick<Replicator, 'receiveOnce'>;
  /** Makes this region's own queue exist. */
  readonly ensureQueue: () => Promise<void>;
  readonly activity: Activity;
}

/** While the store is down the batch in hand gives a sign of life at each attempt. */
const RECEIVE_STALL_MS = 300_000;

/** Receives, applies and settles batch after batch, once the region's own queue exists. */
export function createReceiveDuty(options: ReceiveDutyOptions): Duty {
  const { replicator, ensureQueue, activity } = options;
  let isQueueThere = false;
  return {
    name: 'receive',
    intervalMs: () => 0,
    firstDelayMs: 0,
    isNeededForReady: true,
    stallMs: RECEIVE_STALL_MS,
    async turn(signal) {
      if (!isQueueThere) await ensureQueue();
      isQueueThere = true;
      try {
        activity.noteReceived(await replicator.receiveOnce(signal));
      } catch (error) {
        isQueueThere = !(error instanceof AppError && error.code === 'BUS_ENTITY_MISSING');
        throw error;
      }
    },
  };
}

interface SweepDutyOptions {
  readonly sweeper: Pick<Replicator, 'sweepOnce'>;
  readonly activity: Activity;
  readonly intervalMs: () => number;
}

/** A pass reads at most a bounded number of rows, yet each may wait for a throttled table. */
const SWEEP_STALL_MS = 300_000;

/** Relays what crashed processes left in the outbox, and sends every peer a watermark. */
export function createSweepDuty({ sweeper, activity, intervalMs }: SweepDutyOptions): Duty {
  return {
    name: 'sweep',
    intervalMs,
    firstDelayMs: 0,
    isNeededForReady: true,
    stallMs: SWEEP_STALL_MS,
    async turn() {
      const report = await sweeper.sweepOnce();
      activity.noteRelayed(report?.relayed ?? 0);
    },
  };
}

const COUNT_INTERVAL_MS = 10_000;
/** They are counted by looking at each one. */
const DEAD_LETTERS_COUNTED_MAX = 1_000;
const COUNT_STALL_MS = 300_000;

/** Counts the dead letters of this region's queue, for `/status`. */
export function createDeadLetterDuty({
  receiver,
}: {
  readonly receiver: Pick<ChangeReceiver, 'countDeadLetters'>;
}): Duty {
  return {
    name: 'dead-letters',
    intervalMs: () => COUNT_INTERVAL_MS,
    firstDelayMs: 0,
    isNeededForReady: false,
    stallMs: COUNT_STALL_MS,
    async turn() {
      await receiver.countDeadLetters(DEAD_LETTERS_COUNTED_MAX);
    },
  };
}

const TIDY_INTERVAL_MS = 60_000;

interface FragmentDutyOptions {
  readonly store: TableStore;
  readonly clock: Clock;
  readonly tables: Pick<RegionTables, 'archive'>;
  readonly activity: Pick<Activity, 'notices'>;
  readonly settings: Pick<RegionSettings, 'driftMsMax'>;
}

/** Names the large change sets that do not become whole, and takes away what is left of those that were applied. */
export function createFragmentDuty(options: FragmentDutyOptions): Duty {
  const { store, clock, settings } = options;
  const { archive } = options.tables;
  const { notices } = options.activity;
  const { driftMsMax } = settings;
  return {
    name: 'fragments',
    intervalMs: () => TIDY_INTERVAL_MS,
    firstDelayMs: TIDY_INTERVAL_MS,
    isNeededForReady: false,
    stallMs: COUNT_STALL_MS,
    async turn() {
      await tidyFragments({ store, archive, clock, notices, driftMsMax });
    },
  };
}

interface ArchiveSweeperOptions {
  readonly sweepLease: Lease;
  readonly leaseMs: number;
  readonly store: Pick<TableStore, 'query'>;
  readonly tables: RegionTables;
  readonly relay: Relay;
  readonly clock: Clock;
  readonly settings: Pick<RegionSettings, 'sweepGraceMs'>;
  readonly activity: Pick<Activity, 'notices'>;
}

/** Sweeps a region without peers: what was left in the outbox goes to the archive. */
export function createArchiveSweeper(
  options: ArchiveSweeperOptions,
): Pick<Replicator, 'sweepOnce'> {
  const { sweepLease, tables, relay, clock, settings, activity } = options;
  const outboxes = createBusyOutboxes({ ...options, outboxes: tables.outboxes });
  return {
    async sweepOnce() {
      if (!(await sweepLease.acquire(options.leaseMs))) return undefined;
      const report = await sweep({
        outboxes,
        links: [],
        relay,
        clock,
        graceMs: settings.sweepGraceMs,
        notices: activity.notices,
      });
      if (report.failure !== undefined) throw report.failure;
      return report;
    },
  };
}

// Which outboxes a pass of the sweep has to read: a region that has no table of clients pays for none.

interface BusyOutboxesOptions {
  readonly store: Pick<TableStore, 'query'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** Are kept by entity kind. */
  readonly outboxes: ReadonlyMap<string, Outbox>;
}

/** No peer waits for what is not replicated, and no watermark speaks of it: it is only to be archived. */
const LOCAL_INTERVAL_MS = 30_000;

/**
 * Returns what tells which outboxes may hold something that was committed before it is asked. No row of a table of
 * clients is written before the catalogue has a record, and none of its records is ever removed: until there is
 * one, a single question takes the place of those to every bucket.
 */
export function createBusyOutboxes(options: BusyOutboxesOptions): () => Promise<readonly Outbox[]> {
  const { store, clock, outboxes } = options;
  const ofOwner = [...outboxes.values()].filter(({ entityKind }) => !isOwnKind(entityKind));
  const replicated = [...outboxes.values()].filter(({ entityKind }) => isReplicated(entityKind));
  let isUsed = false;
  let localSweptMs = Number.NEGATIVE_INFINITY;
  return async () => {
    isUsed ||= await isCatalogueUsed(store);
    if (!isUsed) return ofOwner;
    const nowMs = clock.nowMs();
    // A clock that was set back must not put it off.
    if (Math.abs(nowMs - localSweptMs) < LOCAL_INTERVAL_MS) return replicated;
    localSweptMs = nowMs;
    return [...outboxes.values()];
  };
}
