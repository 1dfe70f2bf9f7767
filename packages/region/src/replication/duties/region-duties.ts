import {
  assert,
  type Catalogue,
  type Clock,
  catalogKind,
  type EntityKind,
  hidingTableIds,
  isReplicated,
  type Lease,
  leftTableIds,
  type Randomness,
  type ReplicationStatus,
  type Replicator,
  TerminalError,
  tableIdOf,
  tombstoneHorizonMs,
} from '@tandem/core';
import type { Logger } from '@tandem/service-kit';
import {
  collectTombstones,
  readTables,
  type Secret,
  type TombstoneTurnOptions,
  takeTombstoneTurn,
  tandemSettings,
} from '@tandem/storage';
import type { BusQueue } from '../../connections.ts';
import type { PreparedRegion } from '../../prepare-region.ts';
import type { RegionSettings } from '../../region-settings.ts';
import { bucketCountOf } from '../../region-tables.ts';
import type { Activity } from '../activity.ts';
import type { DrillRest } from '../drill-rest.ts';
import { createPurge, type PurgeOptions } from './purge-duty.ts';
import type { Duty } from './run-duties.ts';

interface ConfigurationDutyOptions {
  readonly logger: Logger;
  readonly refresh: () => Promise<void>;
  /** The settings that this process read when it started, by name; compared, never shown. */
  readonly readAtStart: () => ReadonlyMap<string, string | undefined>;
}

const CHECK_INTERVAL_MS = 30_000;
const CHECK_STALL_MS = 300_000;

/** Keeps the settings fresh, and says which of the changed ones wait for a restart: names only. */
export function createConfigurationDuty(options: ConfigurationDutyOptions): Duty {
  const { logger, refresh, readAtStart } = options;
  let known = readAtStart();
  return {
    name: 'configuration',
    intervalMs: () => CHECK_INTERVAL_MS,
    firstDelayMs: CHECK_INTERVAL_MS,
    isNeededForReady: false,
    stallMs: CHECK_STALL_MS,
    async turn() {
      await refresh();
      const current = readAtStart();
      const settings = [...current.keys()].filter((name) => current.get(name) !== known.get(name));
      known = current;
      if (settings.length === 0) return;
      logger.warn(
        { event: 'configuration-changed', settings },
        'Settings were changed that take effect when the replicator is restarted.',
      );
    },
  };
}

/** Until when the tombstones of a kind go. */
interface TombstoneTurn {
  readonly horizonMs: number;
  /** What the horizons of tables with an age of their own are made of: one for each peer that has the kind. */
  readonly passedMs: readonly (number | undefined)[];
}

interface TombstoneDutyOptions {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly logger: Logger;
  readonly status: Pick<ReplicationStatus, 'read'>;
  readonly peers: readonly string[];
  /** Another than the sweep's: keeps several replicators from reading the same tables for nothing. */
  readonly lease: Lease;
  /** What the apply loop refuses by: not to be changed while the process runs. */
  readonly ageMs: number;
  /** Is the setting `Clock.DriftMsMax`: a watermark further ahead of the clock is not believed. */
  readonly driftMsMax: number;
  /** Deletes the tombstones of each kind that has a turn, by its horizon; resolves with how many. */
  readonly collect: (
    turnOf: (entityKind: string) => TombstoneTurn | undefined,
    signal: AbortSignal,
  ) => Promise<number>;
}

const COLLECT_INTERVAL_MS = 3_600_000;
/** Shorter than the interval at its shortest, so that whoever held it last can take it again. */
const LEASE_MS = COLLECT_INTERVAL_MS / 2;

/** Deletes what has been deleted for long enough, and what peers have only while none of them is behind. */
export function createTombstoneDuty(options: TombstoneDutyOptions): Duty {
  const { clock, logger, status, peers } = options;
  return {
    name: 'tombstones',
    intervalMs: () => COLLECT_INTERVAL_MS,
    // It reads every row, so a process that restarts often does not begin with it each time.
    firstDelayMs: Math.round(COLLECT_INTERVAL_MS * options.randomness.fraction()),
    isNeededForReady: false,
    // It takes as long as the tables are large.
    stallMs: undefined,
    async turn(signal) {
      if (!(await options.lease.acquire(LEASE_MS))) return;
      const progress = peers.length === 0 ? undefined : await status.read();
      const passedMs = peers.map(
        (name) => progress?.peers.find(({ peer }) => peer === name)?.passedMs,
      );
      const takeTurn = (of: readonly (number | undefined)[]): TombstoneTurn | undefined => {
        const horizonMs = tombstoneHorizonMs({
          nowMs: clock.nowMs(),
          ageMs: options.ageMs,
          driftMsMax: options.driftMsMax,
          passedMs: of,
        });
        return horizonMs === undefined ? undefined : { horizonMs, passedMs: of };
      };
      const replicated = takeTurn(passedMs);
      const local = takeTurn([]);
      if (replicated === undefined) {
        const unheard = peers.filter((_, index) => passedMs[index] === undefined);
        logger.info(
          { event: 'tombstones-kept', peers: unheard },
          'No tombstone of what is replicated is collected before every peer was heard.',
        );
      }
      const collected = await options.collect(
        (entityKind) => (isReplicated(entityKind) ? replicated : local),
        signal,
      );
      const { horizonMs } = replicated ?? {};
      logger.info(
        { event: 'tombstones-collected', collected, horizonMs },
        'Old tombstones were collected.',
      );
    },
  };
}

const BEAT_INTERVAL_MS = 1_000;
const BEAT_STALL_MS = 120_000;

/**
 * Writes the progress that the region's readiness is decided from. A region that is out for a drill
 * is silent, and catches up when it is back as after an outage.
 */
export function createHeartbeatDuty({
  replicator,
  drillRest,
}: {
  readonly replicator: Pick<Replicator, 'beatOnce' | 'interrupt'>;
  readonly drillRest: DrillRest;
}): Duty {
  return {
    name: 'heartbeat',
    intervalMs: () => BEAT_INTERVAL_MS,
    firstDelayMs: 0,
    isNeededForReady: false,
    stallMs: BEAT_STALL_MS,
    async turn() {
      await drillRest.look();
      if (drillRest.isOut()) replicator.interrupt();
      else await replicator.beatOnce();
    },
  };
}

const NO_TABLES: ReadonlyMap<string, number> = new Map();

interface Gone {
  readonly isPurged: ((entityId: string) => boolean) | undefined;
  readonly catalogue: Catalogue | undefined;
  readonly nowMs: number;
}

/** Returns what says which rows of a kind go, whatever they are: of deleted tables, and of those that moved away; undefined where none do. */
function findGone(
  { form, name }: EntityKind,
  { isPurged, catalogue, nowMs }: Gone,
): ((entityId: string) => boolean) | undefined {
  if (form !== 'open') return undefined;
  const left = catalogue && leftTableIds(catalogue, name, nowMs);
  if (isPurged === undefined && (left === undefined || left.size === 0)) return undefined;
  return (entityId) => isPurged?.(entityId) === true || left?.has(tableIdOf(entityId)) === true;
}

interface TombstonePartsOptions extends PurgeOptions {
  readonly settings: RegionSettings;
  readonly tombstoneLease: Lease;
  readonly activity: Pick<Activity, 'notices' | 'notePurged'>;
}

export function createRegionTombstoneDuty(options: TombstonePartsOptions): Duty {
  const { clock, randomness, logger, store, kinds, settings, status, tombstoneLease } = options;
  const { activity } = options;
  const { tombstoneAgeMs, driftMsMax } = settings;
  const purge = createPurge(options);
  return createTombstoneDuty({
    clock,
    randomness,
    logger,
    status,
    peers: settings.peers.map(({ region }) => region),
    lease: tombstoneLease,
    ageMs: tombstoneAgeMs,
    driftMsMax,
    async collect(turnOf, signal) {
      let collected = 0;
      let rows = 0;
      const purging = await purge?.(signal);
      const isPurged =
        purging !== undefined && purging.purged.length > 0 ? purging.isPurged : undefined;
      const hasCatalogue = kinds.includes(catalogKind);
      // What is adopted from now on has no tombstone that is old enough.
      const catalogue = hasCatalogue ? await readTables({ store }) : undefined;
      const hiding = catalogue && hidingTableIds(catalogue, clock.nowMs());
      const takes = { store, kinds, clock, driftMsMax, signal, turnOf };
      const { turns, failure } = await takeTurns(takes);
      for (const { kind, horizonMs, tables } of turns) {
        const isGone = findGone(kind, { isPurged, catalogue, nowMs: clock.nowMs() });
        collected += await collectTombstones({
          store,
          kind,
          bucketCount: bucketCountOf(kind.name, settings),
          horizonMs,
          tables,
          hiding,
          signal,
          ...(isGone === undefined
            ? {}
            : { purge: { isPurged: isGone, onPurged: (count) => void (rows += count) } }),
          // It reads every row there is, so it meets those that are none of ours.
          onDamaged: ({ partitionKey, rowKey, problem }) => {
            const key = `${kind.name}/${partitionKey}/${rowKey}`;
            activity.notices.note('row-foreign', key, problem);
          },
        });
      }
      if (rows > 0) {
        activity.notePurged(rows);
        const tables = purging?.purged.map(({ name }) => name) ?? [];
        logger.info(
          { event: 'tables-purged', rows, tables },
          'Rows of deleted tables, and those that moved tables left behind, are gone.',
        );
      }
      if (failure !== undefined) throw failure;
      return collected;
    },
  });
}

interface KindTurn extends Pick<TombstoneTurn, 'horizonMs'> {
  readonly kind: EntityKind;
  readonly tables: ReadonlyMap<string, number>;
}

/** Records what goes of each kind that has a turn. What a person must mend of one keeps no other from its own. */
async function takeTurns({
  kinds,
  turnOf,
  ...options
}: Omit<TombstoneTurnOptions, 'entityKind' | keyof TombstoneTurn> & {
  readonly kinds: readonly EntityKind[];
  readonly turnOf: (entityKind: string) => TombstoneTurn | undefined;
}): Promise<{ readonly turns: readonly KindTurn[]; readonly failure: TerminalError | undefined }> {
  const hasCatalogue = kinds.includes(catalogKind);
  const turns: KindTurn[] = [];
  let failure: TerminalError | undefined;
  for (const kind of kinds) {
    const turn = turnOf(kind.name);
    if (turn === undefined) continue;
    try {
      const own = { ...options, entityKind: kind.name, ...turn };
      const tables =
        kind.form === 'open' && hasCatalogue ? await takeTombstoneTurn(own) : NO_TABLES;
      if (tables !== undefined) turns.push({ kind, horizonMs: turn.horizonMs, tables });
    } catch (error) {
      if (!(error instanceof TerminalError)) throw error;
      failure ??= error;
    }
  }
  return { turns, failure };
}

export function createRegionConfigurationDuty(options: {
  readonly logger: Logger;
  readonly opened: PreparedRegion;
}): Duty {
  const { configuration } = options.opened;
  const names = Object.keys(tandemSettings) as (keyof typeof tandemSettings)[];
  const readAtStart = names.filter((name) => tandemSettings[name].takesEffect === 'restart');
  return createConfigurationDuty({
    logger: options.logger,
    refresh: () => configuration.refresh(),
    readAtStart: () =>
      new Map(readAtStart.map((name) => [name, comparable(configuration.get(name))])),
  });
}

/** Writes secrets too, so it is never shown. */
function comparable(value: unknown): string | undefined {
  return JSON.stringify(value, function reveal(this: Record<string, unknown>, name, part: unknown) {
    const original = this[name];
    return isSecret(original) ? original.reveal() : part;
  });
}

function isSecret(value: unknown): value is Secret {
  return typeof value === 'object' && value !== null && 'reveal' in value;
}

/** Returns this region's own queue. */
export function ownQueueOf({ configuration, settings }: PreparedRegion): BusQueue {
  const connection = configuration.get('ServiceBusConnection');
  assert(connection !== undefined, 'a region with peers has a connection to its own namespace');
  return { connection: connection.reveal(), queue: settings.queue };
}
