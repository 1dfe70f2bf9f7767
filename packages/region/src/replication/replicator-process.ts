import {
  AppError,
  CLAIM_AHEAD_MS_MAX,
  type Clock,
  type EntityKind,
  type Notices,
  type PeerLink,
  type Randomness,
  type TableStore,
  TerminalError,
} from '@tandem/core';
import type { Logger, ShutdownStep } from '@tandem/service-kit';
import type { Telemetry } from '@tandem/telemetry';
import type { Bus, OpenSource } from '../connections.ts';
import { type PreparedRegion, prepareRegion, retryOpening } from '../prepare-region.ts';
import { createQuietLogger } from '../quiet-logger.ts';
import { kindsIn, withOwnKinds } from '../region-tables.ts';
import type { ActivityCounts } from './activity.ts';
import { composeReplicator, type ReplicatorParts } from './compose-replicator.ts';
import { type RunningDuties, runDuties } from './duties/run-duties.ts';
import {
  decideLiveness,
  decideReplicatorReadiness,
  describeStatus,
  type HealthInput,
  type ProcessPhase,
  type ReplicatorView,
  type StatusInput,
} from './replicator-status.ts';

export interface ReplicatorOptions {
  readonly region: string;
  /** Those of an owner; the tables of clients are carried in any case. */
  readonly kinds: readonly EntityKind[];
  readonly store: TableStore;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly logger: Logger;
  /** May override settings of the table `Configuration`, for development. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly tracer?: Telemetry['tracer'];
  /** Opens the accounts of old tables; those of Azure Table Storage by default. */
  readonly openSource?: OpenSource;
  /** Returns the region where this process has opened it already; otherwise it is opened here. */
  readonly prepared?: () => PreparedRegion;
  /** Returns links to all peers that are this process's already; otherwise they are made here. */
  readonly links?: () => readonly PeerLink[];
}

type StartOutcome =
  | { readonly kind: 'running' }
  /** The region's data is kept in memory: there is nothing to replicate. */
  | { readonly kind: 'nothing-to-do' }
  /** A person must mend the settings; the error lists all that is wrong. */
  | { readonly kind: 'invalid'; readonly error: TerminalError }
  | { readonly kind: 'stopped' };

export interface ReplicatorProcess extends ReplicatorView {
  /**
   * Opens the region, however long the store is down, and begins the duties. To be called once;
   * rejects only when an invariant is broken.
   */
  start(): Promise<StartOutcome>;
  /** Returns what it has noticed; undefined before the region is open. */
  notices(): Notices | undefined;
  /** Begin nothing new, and end the batch in hand. */
  readonly drain: readonly ShutdownStep[];
  /** Let go of the leases and the bus. */
  readonly close: readonly ShutdownStep[];
}

const LOG_WINDOW_MS = 60_000;
const LINES_PER_EVENT_MAX = 100;
/** The configuration duty reads the settings again; this is for a process whose duty hangs. */
const SETTINGS_REFRESH_MS = 300_000;

/** What there is so far; all of it undefined before the region is open. */
interface ProcessState {
  readonly stopping: AbortController;
  started?: Promise<StartOutcome>;
  composition?: ReplicatorParts | undefined;
  running?: RunningDuties;
}

export function createReplicatorProcess(given: ReplicatorOptions): ReplicatorProcess {
  const options = { ...given, kinds: withOwnKinds(given.kinds) };
  const { region, clock } = options;
  const logger = createQuietLogger({
    logger: options.logger,
    clock,
    windowMs: LOG_WINDOW_MS,
    linesPerEventMax: LINES_PER_EVENT_MAX,
  });
  const state: ProcessState = { stopping: new AbortController() };
  const health = (): HealthInput => ({
    nowMs: clock.nowMs(),
    phase: phaseOf(state),
    duties: state.running?.health() ?? [],
    lastOutageMs: state.composition?.activity.lastOutageMs(),
  });
  return {
    start: () => (state.started = begin(state, { ...options, logger })),
    liveness: () => decideLiveness(health()),
    readiness: () => decideReplicatorReadiness(health()),
    status: () => {
      const { nowMs, phase, duties } = health();
      return describeStatus({ nowMs, region, phase, duties, ...viewOf(state.composition) });
    },
    notices: () => state.composition?.activity.notices,
    drain: drainStepsOf(state),
    close: closeStepsOf(state),
  };
}

async function begin(state: ProcessState, options: ReplicatorOptions): Promise<StartOutcome> {
  const { clock, randomness, logger } = options;
  const context = { clock, randomness, logger, signal: state.stopping.signal };
  try {
    const opened = await retryOpening(() => open(options), context);
    if (opened === undefined) return { kind: 'stopped' };
    const kinds = kindsIn(options.kinds, opened.settings);
    const composition = composeReplicator({ ...options, kinds, opened, links: options.links?.() });
    if (composition === undefined) return { kind: 'nothing-to-do' };
    state.composition = composition;
    state.running = runDuties({ duties: composition.duties, ...context });
    sayOverridden(logger, opened.overridden ?? []);
    const { dataAccess, peers } = opened.settings;
    const names = peers.map((peer) => peer.region);
    logger.info({ event: 'replicating', dataAccess, peers: names }, 'The duties are running.');
    return { kind: 'running' };
  } catch (error) {
    if (error instanceof TerminalError) return { kind: 'invalid', error };
    throw error;
  }
}

/** Says which settings the table does not decide here: who changes them there waits for nothing. */
function sayOverridden(logger: Logger, settings: readonly string[]): void {
  if (settings.length === 0) return;
  logger.warn(
    { event: 'settings-overridden', settings },
    'The environment of this process overrides settings of the table Configuration.',
  );
}

function drainStepsOf(state: ProcessState): readonly ShutdownStep[] {
  return [
    { name: 'begin nothing new', run: () => state.stopping.abort() },
    {
      name: 'finish the batch in hand',
      run: async () => {
        await state.started;
        await state.running?.stopped;
        await state.composition?.drain();
      },
    },
  ];
}

function closeStepsOf(state: ProcessState): readonly ShutdownStep[] {
  return [
    { name: 'release the leases', run: () => state.composition?.releaseLeases() },
    { name: 'close the bus', run: () => state.composition?.closeBus() },
  ];
}

async function open(options: ReplicatorOptions): Promise<PreparedRegion> {
  const { region, store, kinds, clock, environment, logger } = options;
  if (options.prepared !== undefined) return options.prepared();
  return prepareRegion({
    region,
    store,
    kinds,
    clock,
    environment,
    refreshMs: SETTINGS_REFRESH_MS,
    onRefreshFailed: (error) =>
      logger.warn(
        { event: 'configuration-not-refreshed', error },
        'The settings could not be read again; those known before stay in force.',
      ),
  });
}

function phaseOf({ stopping, running }: ProcessState): ProcessPhase {
  if (stopping.signal.aborted) return 'stopping';
  return running === undefined ? 'opening' : 'running';
}

const NO_COUNTS: ActivityCounts = {
  conflicts: 0,
  relayed: 0,
  deadLettered: 0,
  refused: {},
  received: 0,
  trimmed: {},
  purged: 0,
  copied: 0,
};

function viewOf(
  composition: ReplicatorParts | undefined,
): Pick<
  StatusInput,
  | 'links'
  | 'lastBeat'
  | 'owedToSinceMs'
  | 'queue'
  | 'counts'
  | 'copies'
  | 'mirrors'
  | 'notices'
  | 'driftMsMax'
> {
  return {
    links: composition?.links ?? [],
    lastBeat: composition?.status.lastBeat(),
    owedToSinceMs: (peer) => composition?.sweeper?.owedToSinceMs(peer),
    queue: composition?.receiver?.lastSeen(),
    counts: composition?.activity.counts() ?? NO_COUNTS,
    copies: composition?.activity.copies() ?? [],
    mirrors: composition?.activity.mirrors() ?? [],
    notices: composition?.activity.notices.current() ?? [],
    driftMsMax: composition?.driftMsMax ?? CLAIM_AHEAD_MS_MAX,
  };
}

/** Nothing is kept that could grow old. */
const NEVER_MS = Number.MAX_SAFE_INTEGER;

/**
 * Opens the region once, as a start would, and nothing more: for a deployment that must not begin
 * with settings that its processes will refuse. Returns what is wrong, or undefined.
 */
export async function checkSettings(
  options: Pick<ReplicatorOptions, 'region' | 'kinds' | 'store' | 'clock' | 'environment'>,
): Promise<string | undefined> {
  try {
    const kinds = withOwnKinds(options.kinds);
    const quietly = { refreshMs: NEVER_MS, onRefreshFailed: () => undefined };
    await prepareRegion({ ...options, kinds, ...quietly });
    return undefined;
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return error.message;
  }
}
