import {
  assertNever,
  type Clock,
  type DrillOrder,
  type DrillSwitch,
  decideReadiness,
  type Hold,
  isBelievable,
  type Readiness,
  type ReadinessSettings,
  type RegionHold,
  type ReplicationProgress,
  type ReplicationStatus,
  type UnreadyReason,
} from '@tandem/core';
import type { Logger } from '@tandem/service-kit';

/** Never throws, and answers within the time that a probe waits. */
export type RegionReadiness = () => Promise<Readiness>;

export interface RegionReadinessOptions {
  /** Reads from the customers' own table; throws when it cannot. */
  readonly probeTable: () => Promise<unknown>;
  readonly status: Pick<ReplicationStatus, 'read'>;
  readonly drill: Pick<DrillSwitch, 'read'>;
  readonly hold: Pick<RegionHold, 'read'>;
  readonly hasPeers: boolean;
  /** Asked for each time: the settings may be refreshed. */
  readonly settings: () => ReadinessSettings;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Traffic Manager waits 5 to 9 s for an answer. */
const ANSWER_MS_MAX = 3_000;
/**
 * A probe must not queue behind the customers' requests: a region with much to do would look dead, and
 * send all that it has to do to a peer. It waits this long for a look at the table, and then takes what
 * the last look saw, unless that is too old to count.
 */
const PATIENCE_MS = 500;
const LOOK_AGE_MS_MAX = 5_000;

interface Observation {
  readonly isStoreAnswering: boolean;
  readonly progress: ReplicationProgress | undefined;
  readonly drill: DrillOrder | undefined;
  readonly hold: Hold | undefined;
}

interface Look {
  readonly beganMs: number;
  readonly observation: Observation;
}

/** Probes that arrive together, and there may be many, share one look at the table. */
export function createRegionReadiness(options: RegionReadinessOptions): RegionReadiness {
  const { clock, settings, hasPeers } = options;
  let startedMs = clock.nowMs();
  let heard: ReplicationProgress | undefined;
  let looking: Promise<Observation> | undefined;
  let last: Look | undefined;

  const lookAnew = async (): Promise<Observation> => {
    const beganMs = clock.nowMs();
    try {
      const observation = await observe(options);
      last = { beganMs, observation };
      return observation;
    } finally {
      looking = undefined;
    }
  };
  const look = async (): Promise<Observation> => {
    looking ??= lookAnew();
    // Either way: a clock that was set back tells nothing of how old the last look is.
    if (last === undefined || Math.abs(clock.nowMs() - last.beganMs) > LOOK_AGE_MS_MAX)
      return looking;
    const looked = new AbortController();
    const patience = clock.sleep(PATIENCE_MS, looked.signal).then(() => undefined);
    const seen = await Promise.race([looking, patience]);
    looked.abort();
    return seen ?? last.observation;
  };

  /** Keeps what was heard last that can be believed: a replicator with a wrong clock hides what the others wrote. */
  const hear = (
    progress: ReplicationProgress | undefined,
    nowMs: number,
  ): ReplicationProgress | undefined => {
    const { driftMsMax } = settings();
    const isHeard =
      progress !== undefined && isBelievable(progress.heartbeatMs, { nowMs, driftMsMax });
    if (isHeard || progress === undefined) return (heard = progress);
    return heard !== undefined && isBelievable(heard.heartbeatMs, { nowMs, driftMsMax })
      ? heard
      : progress;
  };

  return async () => {
    const { isStoreAnswering, progress, drill, hold } = await look();
    const nowMs = clock.nowMs();
    // Begun by a clock that was ahead, and set right since.
    startedMs = Math.min(startedMs, nowMs);
    return decideReadiness(
      {
        nowMs,
        startedMs,
        isStoreAnswering,
        progress: hear(progress, nowMs),
        drill,
        hold,
        // What the replicator says is in the table: nothing is known of it while that is silent.
        hasPeers: hasPeers && isStoreAnswering,
      },
      settings(),
    );
  };
}

async function observe(options: RegionReadinessOptions): Promise<Observation> {
  const { clock, logger } = options;
  const answered = new AbortController();
  const silence = clock.sleep(ANSWER_MS_MAX, answered.signal).then(() => 'silent' as const);
  try {
    const { probeTable, status, drill, hold } = options;
    const answer = Promise.all([probeTable(), status.read(), drill.read(), hold.read()]);
    const outcome = await Promise.race([answer, silence]);
    if (outcome !== 'silent') {
      const [, progress, order, held] = outcome;
      return { isStoreAnswering: true, progress, drill: order, hold: held };
    }
    // Its late failure is of no interest any more, and must not become an unhandled rejection.
    answer.catch(() => undefined);
    logger.warn({ event: 'store-silent', waitedMs: ANSWER_MS_MAX }, 'The table does not answer.');
  } catch (error) {
    logger.warn({ event: 'store-not-answering', error }, 'The table cannot be read.');
  } finally {
    answered.abort();
  }
  return { isStoreAnswering: false, progress: undefined, drill: undefined, hold: undefined };
}

/** Readiness of this process: that of its region, and red before it is opened and once it stops. */
export type ProcessReadiness =
  | Extract<Readiness, { kind: 'ready' }>
  | {
      readonly kind: 'not-ready';
      readonly reasons: readonly (
        | UnreadyReason
        | { readonly kind: 'starting' }
        | { readonly kind: 'stopping' }
      )[];
    };

/**
 * Tells whether this process serves, however its region is. What the load balancer of the region asks:
 * were it to ask the region, a replicator that is dead everywhere would take every process of every
 * region out, and nobody would serve although everybody could.
 */
export function createServing({
  region,
  stopping,
}: ProcessReadinessOptions): () => ProcessReadiness {
  return () => {
    if (stopping.aborted) return { kind: 'not-ready', reasons: [{ kind: 'stopping' }] };
    return region() === undefined
      ? { kind: 'not-ready', reasons: [{ kind: 'starting' }] }
      : { kind: 'ready', notes: [] };
  };
}

export interface ProcessReadinessOptions {
  /** Undefined until the tables and settings of the region have been read. */
  readonly region: () => RegionReadiness | undefined;
  readonly stopping: AbortSignal;
}

export function createProcessReadiness({
  region,
  stopping,
}: ProcessReadinessOptions): () => Promise<ProcessReadiness> {
  return async () => {
    if (stopping.aborted) return { kind: 'not-ready', reasons: [{ kind: 'stopping' }] };
    const ask = region();
    return ask === undefined ? { kind: 'not-ready', reasons: [{ kind: 'starting' }] } : ask();
  };
}

/** What a probe is answered; it has one form for both states, so that a reader needs no more than `status`. */
export interface ReadinessAnswer {
  readonly status: 'ready' | 'not-ready';
  readonly region: string;
  /** Empty where it is ready. */
  readonly reasons: readonly ReadinessReason[];
  /** Say which peers were let through, or are damaged, and why. */
  readonly notes: readonly string[];
}

/** What is not known is left out. */
interface ReadinessReason {
  readonly kind: Reason['kind'];
  readonly peer?: string;
  readonly lagMs?: number;
  readonly ageMs?: number;
  readonly aheadMs?: number;
  readonly why?: string;
  readonly untilMs?: number;
}

type Reason = Extract<ProcessReadiness, { kind: 'not-ready' }>['reasons'][number];

export function readinessAnswerOf(region: string, readiness: ProcessReadiness): ReadinessAnswer {
  if (readiness.kind === 'ready') {
    return { status: 'ready', region, reasons: [], notes: [...readiness.notes] };
  }
  return { status: 'not-ready', region, reasons: readiness.reasons.map(toReason), notes: [] };
}

function toReason(reason: Reason): ReadinessReason {
  switch (reason.kind) {
    case 'replicator-not-heard':
      return {
        kind: reason.kind,
        ...(reason.ageMs === undefined ? {} : { ageMs: Math.round(reason.ageMs) }),
        ...(reason.aheadMs === undefined ? {} : { aheadMs: Math.round(reason.aheadMs) }),
      };
    case 'behind': {
      const { kind, peer, lagMs } = reason;
      return lagMs === undefined ? { kind, peer } : { kind, peer, lagMs: Math.round(lagMs) };
    }
    case 'held':
      return { kind: reason.kind, why: reason.why };
    case 'out-for-drill':
      return { kind: reason.kind, untilMs: reason.untilMs };
    case 'store-not-answering':
    case 'starting':
    case 'stopping':
      return { kind: reason.kind };
    default:
      return assertNever(reason);
  }
}
