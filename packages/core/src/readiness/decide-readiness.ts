import { believedPeer, isBelievable, newestMs } from '../arrival/claims.ts';
import { type DrillOrder, isOutForDrill } from '../model/drill-order.ts';
import type { PeerProgress, ReplicationProgress } from '../model/progress.ts';
import type { Hold } from '../ports/lease.ts';

/**
 * Whether a region may take traffic. Traffic Manager fails back on the first healthy probe, so this
 * answer is what keeps a region that is behind from serving old data (I14).
 */
export interface ReadinessSettings {
  /** A passed watermark older than this means behind, in milliseconds. */
  readonly lagMsMax: number;
  /** A region that has waited this long for its peers to be heard is ready all the same. */
  readonly waitMsMax: number;
  /** A replicator that was last heard longer ago than this is dead. */
  readonly heartbeatMsMax: number;
  /** A claim further ahead of the clock is not believed. */
  readonly driftMsMax: number;
}

export interface ReadinessInput {
  readonly nowMs: number;
  /** When the process that asks began: a heartbeat from before that may be from before an outage. */
  readonly startedMs: number;
  readonly isStoreAnswering: boolean;
  /** Undefined when no replicator ever ran; not asked for when there are no peers. */
  readonly progress: ReplicationProgress | undefined;
  readonly hasPeers: boolean;
  /** The drill that was ordered last, if any. */
  readonly drill?: DrillOrder | undefined;
  /** The hold on the region, if any. */
  readonly hold?: Hold | undefined;
}

export type UnreadyReason =
  | { readonly kind: 'store-not-answering' }
  | {
      readonly kind: 'replicator-not-heard';
      readonly ageMs: number | undefined;
      /** Its heartbeat is of the future by so much: its clock is wrong, or the one here. */
      readonly aheadMs?: number;
    }
  /** The region is not whole, or not proven to be. */
  | { readonly kind: 'held'; readonly why: string }
  /** An operator practises a fail-over. */
  | { readonly kind: 'out-for-drill'; readonly untilMs: number }
  | { readonly kind: 'behind'; readonly peer: string; readonly lagMs: number | undefined };

export type Readiness =
  | { readonly kind: 'ready'; readonly notes: readonly string[] }
  | { readonly kind: 'not-ready'; readonly reasons: readonly UnreadyReason[] };

export function decideReadiness(input: ReadinessInput, settings: ReadinessSettings): Readiness {
  const reasons: UnreadyReason[] = [];
  const notes: string[] = [];
  if (!input.isStoreAnswering) reasons.push({ kind: 'store-not-answering' });
  const { progress, nowMs, drill, hold } = input;
  if (hold !== undefined) reasons.push({ kind: 'held', why: hold.reason });
  if (isOutForDrill(drill, nowMs)) {
    reasons.push({ kind: 'out-for-drill', untilMs: drill.untilMs });
  }
  if (input.hasPeers) {
    const ageMs = progress === undefined ? undefined : nowMs - progress.heartbeatMs;
    const own = { nowMs, driftMsMax: settings.driftMsMax };
    if (progress !== undefined && !isBelievable(progress.heartbeatMs, own)) {
      const aheadMs = progress.heartbeatMs - nowMs;
      reasons.push({ kind: 'replicator-not-heard', ageMs: undefined, aheadMs });
    } else if (progress === undefined || ageMs === undefined || !isAlive(input, settings)) {
      reasons.push({ kind: 'replicator-not-heard', ageMs });
    } else {
      for (const told of progress.peers) {
        const peer = believedPeer(told, own);
        const verdict = judgePeer(peer, { progress, nowMs, settings });
        if (verdict === 'behind') {
          reasons.push({ kind: 'behind', peer: peer.peer, lagMs: lagMs(peer, nowMs) });
        } else if (verdict !== 'caught-up') {
          notes.push(`${peer.peer}: ${verdict}`);
        } else if ((peer.soundMs ?? 0) > (peer.passedMs ?? 0)) {
          notes.push(`${peer.peer}: caught up but for what is damaged in its outbox`);
        }
      }
    }
  }
  return reasons.length === 0 ? { kind: 'ready', notes } : { kind: 'not-ready', reasons };
}

type PeerVerdict = 'caught-up' | 'behind' | 'not heard, let through' | 'waited long enough';

/**
 * A peer that is down must not hold this region back, and an empty queue proves nothing: the peer's
 * outbox may still be full of what was written while we were away.
 */
function judgePeer(
  peer: PeerProgress,
  context: { progress: ReplicationProgress; nowMs: number; settings: ReadinessSettings },
): PeerVerdict {
  const { progress, nowMs, settings } = context;
  const lag = lagMs(peer, nowMs);
  if (lag !== undefined && lag <= settings.lagMsMax && hasCaughtUp(peer, progress)) {
    return 'caught-up';
  }
  const waitedMs =
    progress.catchingUpSinceMs === undefined
      ? undefined
      : Math.max(0, nowMs - progress.catchingUpSinceMs);
  if (waitedMs !== undefined && waitedMs >= settings.waitMsMax) return 'waited long enough';
  if (progress.hasBacklog) return 'behind';
  // Caught up once and the queue is empty since: the peer fell silent, we did not fall behind.
  if (waitedMs === undefined) return 'not heard, let through';
  return peer.isReachable ? 'behind' : 'not heard, let through';
}

function isAlive(
  { progress, nowMs, startedMs, drill }: ReadinessInput,
  settings: ReadinessSettings,
): boolean {
  // What was said before a drill ended is from before all that was missed during it.
  const sinceMs = drill !== undefined && drill.untilMs <= nowMs ? drill.untilMs : 0;
  // A start that is still to come was told by a clock that has been set right since: it would rule out every
  // heartbeat until then.
  const beganMs = startedMs <= nowMs ? startedMs : 0;
  const spokeMs = progress?.heartbeatMs ?? 0;
  if (progress === undefined || spokeMs < Math.max(beganMs, sinceMs)) return false;
  return nowMs - progress.heartbeatMs <= settings.heartbeatMsMax;
}

/** Asks for a watermark from after the outage: one from before says nothing of what was written during it. */
function hasCaughtUp(peer: PeerProgress, { catchingUpSinceMs }: ReplicationProgress): boolean {
  return catchingUpSinceMs === undefined || (reachedMs(peer) ?? 0) >= catchingUpSinceMs;
}

function lagMs(peer: PeerProgress, nowMs: number): number | undefined {
  const reached = reachedMs(peer);
  return reached === undefined ? undefined : nowMs - reached;
}

/** Returns the time up to which there is nothing left of the peer to wait for. */
function reachedMs({ passedMs, soundMs }: PeerProgress): number | undefined {
  return newestMs(passedMs, soundMs);
}

export interface CatchUpInput {
  readonly nowMs: number;
  /** Is undefined before the first beat. */
  readonly previous:
    | { readonly atMs: number; readonly catchingUpSinceMs: number | undefined }
    | undefined;
  /** The queue or the store could not be reached since the previous beat. */
  readonly wasInterrupted: boolean;
  readonly progress: Omit<ReplicationProgress, 'catchingUpSinceMs' | 'heartbeatMs'>;
  readonly settings: ReadinessSettings;
}

/**
 * Since when the region has been catching up, or undefined once it has caught up. It begins anew
 * whenever the region may have missed something: at the start, after an outage of its own queue or
 * store, after standing still, and when its clock was set back.
 */
export function nextCatchUp(input: CatchUpInput): number | undefined {
  const { nowMs, previous, settings } = input;
  const stoodStill = previous !== undefined && nowMs - previous.atMs > settings.heartbeatMsMax;
  if (previous === undefined || input.wasInterrupted || stoodStill) return nowMs;
  // The clock was set back: how long ago the last beat was, and what was missed since, nobody knows.
  const own = { nowMs, driftMsMax: settings.driftMsMax };
  if (!isBelievable(previous.atMs, own)) return nowMs;
  if (previous.catchingUpSinceMs === undefined) return undefined;
  const sinceMs = Math.min(nowMs, previous.catchingUpSinceMs);
  const progress: ReplicationProgress = {
    ...input.progress,
    heartbeatMs: nowMs,
    catchingUpSinceMs: sinceMs,
  };
  const isBehind = input.progress.peers.some(
    (peer) => judgePeer(peer, { progress, nowMs, settings }) === 'behind',
  );
  return isBehind ? sinceMs : undefined;
}
