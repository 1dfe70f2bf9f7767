// What a replicator says of itself, from memory: how far behind, what it owes, what failed.
import {
  AppError,
  believedMs,
  believedPeer,
  type Heartbeat,
  type Notice,
  type PeerLink,
} from '@tandem/core';
import type { ActivityCounts, CopyProgress, MirrorProgress } from './activity.ts';
import type { DutyHealth, DutyName } from './duties/run-duties.ts';
import type { QueueView } from './observed-ports.ts';

/** What the process says of itself; from memory, so it answers during any outage. */
export interface ReplicatorView {
  liveness(): Liveness;
  readiness(): ReplicatorReadiness;
  status(): ReplicatorStatus;
}

/** Times are in milliseconds since the epoch, ages in milliseconds. What is not known is null. */
export interface ReplicatorStatus {
  readonly region: string;
  readonly phase: ProcessPhase;
  readonly peers: readonly PeerStatus[];
  readonly backlog: boolean | null;
  readonly catchingUpSinceMs: number | null;
  readonly heartbeatMs: number | null;
  readonly queue: {
    readonly reachable: boolean | null;
    readonly oldestMessageAgeMs: number | null;
    readonly deadLetterCount: number | null;
  };
  readonly loops: readonly LoopStatus[];
  /** Lists what was met lately and an operator has to see to. */
  readonly notices: readonly Notice[];
  /** Lists the old tables that are copied here. */
  readonly copies: readonly CopyProgress[];
  /** Lists the mirrors of tables that are kept here. */
  readonly mirrors: readonly MirrorProgress[];
  readonly sinceStart: ActivityCounts;
}

interface PeerStatus {
  readonly peer: string;
  /** Its queue accepted the last that was sent. */
  readonly reachable: boolean;
  readonly passedMs: number | null;
  readonly lagMs: number | null;
  readonly outboxAgeMs: number | null;
}

interface LoopStatus {
  readonly name: string;
  readonly running: boolean;
  readonly lastSuccessMs: number | null;
  readonly lastFailureMs: number | null;
  readonly lastErrorCode: string | null;
  readonly failureCount: number;
  readonly consecutiveFailureCount: number;
}

/** All from memory, and each with what it is known from: nothing is asked for an answer. */
export interface StatusInput {
  readonly nowMs: number;
  readonly region: string;
  readonly phase: ProcessPhase;
  readonly links: readonly Pick<PeerLink, 'peer' | 'isReachable'>[];
  readonly lastBeat: Heartbeat | undefined;
  /** From when on something may be owed to the peer; not known where another process sweeps. */
  readonly owedToSinceMs: (peer: string) => number | undefined;
  readonly queue: QueueView | undefined;
  readonly duties: readonly DutyHealth[];
  readonly counts: ActivityCounts;
  readonly copies: readonly CopyProgress[];
  readonly mirrors: readonly MirrorProgress[];
  readonly notices: readonly Notice[];
  /** Is the setting `Clock.DriftMsMax`, in milliseconds; its default before the region is open. */
  readonly driftMsMax: number;
}

/** What is not known is null, and never a figure that flatters (I11). */
export function describeStatus(input: StatusInput): ReplicatorStatus {
  const { nowMs, region, phase, lastBeat, queue, counts } = input;
  return {
    region,
    phase,
    peers: input.links.map((link) => {
      // Judged again: the clock may have been set since.
      const own = { nowMs, driftMsMax: input.driftMsMax };
      const told = lastBeat?.peers.find(({ peer }) => peer === link.peer);
      const believed = told && believedPeer(told, own);
      const passedMs = believed?.passedMs ?? null;
      const owedSinceMs = believedMs(input.owedToSinceMs(link.peer), own);
      return {
        peer: link.peer,
        reachable: link.isReachable(),
        passedMs,
        lagMs: passedMs === null ? null : nowMs - passedMs,
        outboxAgeMs: owedSinceMs === undefined ? null : nowMs - owedSinceMs,
      };
    }),
    backlog: queue?.isReachable === true ? (lastBeat?.hasBacklog ?? null) : null,
    catchingUpSinceMs: lastBeat?.catchingUpSinceMs ?? null,
    heartbeatMs: lastBeat?.nowMs ?? null,
    queue: {
      reachable: queue?.isReachable ?? null,
      oldestMessageAgeMs:
        queue?.oldestEnqueuedMs === undefined ? null : Math.max(0, nowMs - queue.oldestEnqueuedMs),
      deadLetterCount: queue?.deadLetters ?? null,
    },
    loops: input.duties.map(describeLoop),
    notices: [...input.notices],
    copies: [...input.copies],
    mirrors: [...input.mirrors],
    sinceStart: counts,
  };
}

function describeLoop(health: DutyHealth): LoopStatus {
  const { lastError } = health;
  return {
    name: health.duty.name,
    running: health.isRunning,
    lastSuccessMs: health.lastSuccessMs ?? null,
    lastFailureMs: health.lastFailureMs ?? null,
    // The code alone: a message may name what does not belong on an open port.
    lastErrorCode:
      lastError === undefined
        ? null
        : lastError instanceof AppError
          ? lastError.code
          : 'UNEXPECTED',
    failureCount: health.failureCount,
    consecutiveFailureCount: health.consecutiveFailureCount,
  };
}

/**
 * `opening` until the region's tables and settings are there, `running` while the loops run,
 * `stopping` from the first signal on.
 */
export type ProcessPhase = 'opening' | 'running' | 'stopping';

export interface HealthInput {
  readonly nowMs: number;
  readonly phase: ProcessPhase;
  /** Empty before the loops run. */
  readonly duties: readonly DutyHealth[];
  /** When the receive loop, holding a batch through an outage, last tried again. */
  readonly lastOutageMs: number | undefined;
}

type Liveness =
  | { readonly kind: 'live' }
  /** A restart is all that helps: these loops hang. */
  | { readonly kind: 'stalled'; readonly loops: readonly DutyName[] };

/** An outage stalls nothing: a loop that fails, or that waits and tries, is alive. */
export function decideLiveness(input: HealthInput): Liveness {
  const loops = input.duties.filter((one) => isStalled(one, input)).map(({ duty }) => duty.name);
  return loops.length === 0 ? { kind: 'live' } : { kind: 'stalled', loops };
}

type NotReadyReason =
  | { readonly kind: 'opening' }
  | { readonly kind: 'stopping' }
  | { readonly kind: 'loop-not-through'; readonly loop: DutyName };

type ReplicatorReadiness =
  | { readonly kind: 'ready' }
  | { readonly kind: 'not-ready'; readonly reasons: readonly NotReadyReason[] };

/** Speaks of this process: whether the region may take traffic is the customer API's to say. */
export function decideReplicatorReadiness({ phase, duties }: HealthInput): ReplicatorReadiness {
  if (phase !== 'running') return { kind: 'not-ready', reasons: [{ kind: phase }] };
  const reasons = duties
    .filter(({ duty, lastSuccessMs }) => duty.isNeededForReady && lastSuccessMs === undefined)
    .map(({ duty }) => ({ kind: 'loop-not-through' as const, loop: duty.name }));
  return reasons.length === 0 ? { kind: 'ready' } : { kind: 'not-ready', reasons };
}

/** Jitter and the wait after a failure come on top of the interval. */
const INTERVALS_ALLOWED = 2;

function isStalled(health: DutyHealth, { nowMs, lastOutageMs }: HealthInput): boolean {
  const { duty } = health;
  if (duty.stallMs === undefined || !health.isRunning) return false;
  const signsMs = [
    health.startedMs + duty.firstDelayMs,
    health.lastSuccessMs,
    health.lastFailureMs,
  ];
  if (duty.name === 'receive') signsMs.push(lastOutageMs);
  const lastSignMs = Math.max(...signsMs.filter((ms) => ms !== undefined));
  return nowMs - lastSignMs > duty.stallMs + INTERVALS_ALLOWED * duty.intervalMs();
}
