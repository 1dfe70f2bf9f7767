import {
  believedMs,
  believedPeers,
  isBelievable,
  newestMs,
  type OwnClock,
} from '../arrival/claims.ts';
import { AppError } from '../errors.ts';
import type { PeerReads } from '../model/progress.ts';
import type { ChangeReceiver } from '../ports/change-receiver.ts';
import type { Clock } from '../ports/clock.ts';
import type { RegionHold } from '../ports/lease.ts';
import type { ReplicationStatus } from '../ports/replication-status.ts';
import { type PendingWatermark, passedWatermark, soundOf } from '../wire/watermark.ts';

/** Knows which watermarks of the peers this process has received, and which are passed. */
export interface WatermarkTracker {
  /** Takes a watermark; one that cannot be believed is reported and forgotten. */
  note(watermark: PendingWatermark): void;
  /** Returns those that are not known to be passed: to be read before the queue is looked at. */
  pending(): readonly PendingWatermark[];
  /**
   * Takes for passed those of `pending`, as read before, that have no message before them. `lowestLeft` is the
   * lowest sequence number in the queue, undefined when it is empty.
   */
  settle(pending: readonly PendingWatermark[], lowestLeft: bigint | undefined): void;
  /** Returns what is believed, by the clock of now, of the peer's word. */
  claimsOf(peer: string): PeerClaims;
}

interface PeerClaims {
  /** Is the time, in milliseconds since the epoch, of the newest watermark of the peer that was passed. */
  readonly passedMs: number | undefined;
  /** Is the same, but for what is damaged in the peer's outbox and waits for an operator. */
  readonly soundMs: number | undefined;
  /** Is what the peer says to have applied of this region's, by the newest word of it. */
  readonly appliedMs: number | undefined;
  /** Is what the peer says to have applied of all regions', by the newest word of it. */
  readonly allAppliedMs: number | undefined;
  /** Is what the peer says to read, by its newest watermark. */
  readonly reads: PeerReads | undefined;
}

export interface WatermarkTrackerOptions {
  readonly clock: Pick<Clock, 'nowMs'>;
  /** Names those whose word counts. What anybody else says takes no memory. */
  readonly peers: readonly string[];
  readonly driftMsMax: number;
  readonly onRefused: (from: string, why: string) => void;
}

/** A backlog brings many watermarks at once; the older of them say nothing that is missed. */
const PENDING_PER_PEER_MAX = 100;

const NOTHING: PeerClaims = {
  passedMs: undefined,
  soundMs: undefined,
  appliedMs: undefined,
  allAppliedMs: undefined,
  reads: undefined,
};

export function createWatermarkTracker(options: WatermarkTrackerOptions): WatermarkTracker {
  const { clock, onRefused, driftMsMax } = options;
  const peers = new Set(options.peers);
  const pendingOf = new Map<string, readonly PendingWatermark[]>();
  const knownOf = new Map<string, PeerClaims>();

  /** What was believed by a clock that was wrong is not remembered once it is right. */
  const claimsOf = (peer: string): PeerClaims => {
    const own = { nowMs: clock.nowMs(), driftMsMax };
    const { passedMs, soundMs, appliedMs, allAppliedMs, reads } = knownOf.get(peer) ?? NOTHING;
    const believed = {
      passedMs: believedMs(passedMs, own),
      soundMs: believedMs(soundMs, own),
      appliedMs: believedMs(appliedMs, own),
      allAppliedMs: believedMs(allAppliedMs, own),
      reads: reads !== undefined && isBelievable(reads.heardMs, own) ? reads : undefined,
    };
    knownOf.set(peer, believed);
    return believed;
  };

  return {
    note(watermark) {
      const own = { nowMs: clock.nowMs(), driftMsMax };
      const { from, appliedMs, allAppliedMs, reads } = watermark;
      const why = peers.has(from)
        ? whyUnbelievable(watermark, own)
        : 'it is no peer of this region';
      if (why !== undefined) return onRefused(from, why);
      const known = claimsOf(from);
      knownOf.set(from, {
        ...known,
        appliedMs: newestMs(known.appliedMs, believedMs(appliedMs, own)),
        allAppliedMs: newestMs(known.allAppliedMs, believedMs(allAppliedMs, own)),
        // Never what was said before: a build that does not say may have taken the place of one that did.
        reads: { heardMs: own.nowMs, ...(reads === undefined ? {} : { wireVersion: reads }) },
      });
      const before = (pendingOf.get(from) ?? []).filter((one) => isBelievable(soundOf(one), own));
      const all = [...before, upToNow(watermark, own)];
      pendingOf.set(from, all.length > PENDING_PER_PEER_MAX ? thin(all) : all);
    },
    pending: () => [...pendingOf.values()].flat(),
    settle(pending, lowestLeft) {
      const own = { nowMs: clock.nowMs(), driftMsMax };
      for (const [peer, all] of Map.groupBy(pending, ({ from }) => from)) {
        const credible = all.filter((one) => isBelievable(soundOf(one), own));
        const newest = passedWatermark(credible, lowestLeft);
        if (newest === undefined) continue;
        const known = claimsOf(peer);
        knownOf.set(peer, {
          ...known,
          // A watermark of the beginning of time claims nothing: it has another claim to carry.
          passedMs: newestMs(known.passedMs, newest.timeMs === 0 ? undefined : newest.timeMs),
          soundMs: newestMs(known.soundMs, newest.soundMs),
        });
        const later = (pendingOf.get(peer) ?? []).filter(
          (one) => one.sequenceNumber > newest.sequenceNumber,
        );
        pendingOf.set(peer, later);
      }
    },
    claimsOf,
  };
}

function whyUnbelievable(watermark: PendingWatermark, own: OwnClock): string | undefined {
  const { appliedMs = 0, allAppliedMs = 0 } = watermark;
  const latestMs = Math.max(soundOf(watermark), appliedMs, allAppliedMs);
  if (isBelievable(latestMs, own)) return undefined;
  return `it speaks of a time ${latestMs - own.nowMs} ms ahead of the clock here`;
}

/** Leaves out what a clock that is a little ahead says of the time after it was heard. */
function upToNow(watermark: PendingWatermark, { nowMs }: OwnClock): PendingWatermark {
  const { timeMs, soundMs } = watermark;
  const sound = soundMs === undefined ? {} : { soundMs: Math.min(soundMs, nowMs) };
  return { ...watermark, timeMs: Math.min(timeMs, nowMs), ...sound };
}

/** Keeps every other one, and always the newest. */
function thin(pending: readonly PendingWatermark[]): readonly PendingWatermark[] {
  return pending.filter((_, index) => (pending.length - 1 - index) % 2 === 0);
}

/**
 * Says what this region may tell each peer that it has applied of the peer's: the time of the peer's newest
 * watermark that it has passed. Nothing while a dead letter lies in its queue, since what was passed may be
 * what lies there, nor while the region is held, since it may have lost what it had applied; nothing either
 * while that cannot be found out. Never throws.
 */
export type AppliedClaim = () => Promise<ReadonlyMap<string, number>>;

export interface AppliedClaimOptions {
  readonly status: Pick<ReplicationStatus, 'read'>;
  readonly receiver: Pick<ChangeReceiver, 'countDeadLetters'>;
  readonly hold?: Pick<RegionHold, 'read'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly driftMsMax: number;
}

export function createAppliedClaim(options: AppliedClaimOptions): AppliedClaim {
  const { status, receiver, hold, clock, driftMsMax } = options;
  return async () => {
    try {
      const progress = await status.read();
      // After the watermarks were read: what was dead-lettered before they were passed is seen.
      const isAnyDead = (await receiver.countDeadLetters(1)) > 0;
      const isHeld = (await hold?.read()) !== undefined;
      const peers =
        isAnyDead || isHeld ? [] : believedPeers(progress, { nowMs: clock.nowMs(), driftMsMax });
      return new Map(
        peers.flatMap(({ peer, passedMs }): [string, number][] =>
          passedMs === undefined ? [] : [[peer, passedMs]],
        ),
      );
    } catch (error) {
      if (error instanceof AppError) return new Map();
      throw error;
    }
  };
}
