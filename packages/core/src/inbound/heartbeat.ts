import { believedPeers, newestMs } from '../arrival/claims.ts';
import type { Notices } from '../arrival/notices.ts';
import { AppError } from '../errors.ts';
import { type ChangeSet, originOf } from '../model/change-set.ts';
import type { PeerProgress } from '../model/progress.ts';
import type { PeerLink } from '../outbound/peer-link.ts';
import type { ChangeReceiver, OldestMessage } from '../ports/change-receiver.ts';
import type { Clock } from '../ports/clock.ts';
import type { ReplicationStatus } from '../ports/replication-status.ts';
import { nextCatchUp, type ReadinessSettings } from '../readiness/decide-readiness.ts';
import { NEWEST_WIRE_VERSION } from '../wire/versions.ts';
import type { WatermarkTracker } from './watermark-tracker.ts';

interface HeartbeatOptions {
  readonly clock: Clock;
  readonly receiver: ChangeReceiver;
  readonly links: readonly PeerLink[];
  readonly status: ReplicationStatus;
  readonly tracker: WatermarkTracker;
  readonly settings: ReadinessSettings;
  readonly notices: Pick<Notices, 'current'>;
  readonly applied: AppliedCount;
  /** The settings that the environment of this process overrides; undefined where nobody says. */
  readonly overriddenSettings?: readonly string[] | undefined;
}

interface HeartbeatWriter {
  /** Tells that the region may have missed something: it catches up anew. */
  interrupt(): void;
  /** Writes the progress that the region's readiness is decided from. */
  beatOnce(): Promise<void>;
}

export function createHeartbeatWriter(options: HeartbeatOptions): HeartbeatWriter {
  const { clock, receiver, links, status, tracker, settings, notices } = options;
  const { applied, overriddenSettings } = options;
  const { driftMsMax } = settings;
  let previous: { atMs: number; catchingUpSinceMs: number | undefined } | undefined;
  let wasInterrupted = false;

  /** Is what is left in the queue, or undefined when the queue cannot be reached. */
  const lookAtQueue = async (): Promise<{ oldest: OldestMessage | undefined } | undefined> => {
    // Only what was received before the look: a watermark that arrives during it may stand behind
    // a change that the look did not see.
    const received = tracker.pending();
    try {
      const oldest = await receiver.oldestMessage();
      tracker.settle(received, oldest?.sequenceNumber);
      return { oldest };
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      wasInterrupted = true;
      return undefined;
    }
  };

  const peerProgress = async (): Promise<PeerProgress[]> => {
    const known = believedPeers(await status.read(), { nowMs: clock.nowMs(), driftMsMax });
    return links.map((link) => progressOf(link, { known, tracker }));
  };

  return {
    interrupt() {
      wasInterrupted = true;
    },
    async beatOnce() {
      const left = await lookAtQueue();
      const nowMs = clock.nowMs();
      const waitedMs = left?.oldest === undefined ? 0 : nowMs - left.oldest.enqueuedAtMs;
      const hasBacklog = left === undefined || waitedMs > settings.lagMsMax;
      const progress = { hasBacklog, peers: await peerProgress() };
      const catchingUpSinceMs = nextCatchUp({
        nowMs,
        previous,
        wasInterrupted,
        progress,
        settings,
      });
      const own = { notices: notices.current(), driftMsMax, readsWireVersion: NEWEST_WIRE_VERSION };
      const overridden = overriddenSettings === undefined ? {} : { overriddenSettings };
      const appliedSets = applied.untold();
      const said = { ...progress, ...own, ...overridden, appliedSets };
      await status.beat({ nowMs, catchingUpSinceMs, ...said });
      // Those of a beat that was not written are told of by the next.
      applied.told(appliedSets);
      previous = { atMs: nowMs, catchingUpSinceMs };
      wasInterrupted = false;
    },
  };
}

function progressOf(
  link: PeerLink,
  { known, tracker }: { known: readonly PeerProgress[]; tracker: WatermarkTracker },
): PeerProgress {
  const stored = known.find(({ peer }) => peer === link.peer);
  const own = tracker.claimsOf(link.peer);
  const soundMs = newestMs(own.soundMs, stored?.soundMs);
  return {
    peer: link.peer,
    isReachable: link.isReachable(),
    passedMs: newestMs(own.passedMs, stored?.passedMs),
    ...(own.appliedMs === undefined ? {} : { appliedMs: own.appliedMs }),
    ...(own.allAppliedMs === undefined ? {} : { allAppliedMs: own.allAppliedMs }),
    ...(soundMs === undefined ? {} : { soundMs }),
    ...(own.reads === undefined ? {} : { reads: own.reads }),
  };
}

/** Counts by origin the change sets that were applied, until a beat has told of them. */
export interface AppliedCount {
  note(sets: readonly ChangeSet[]): void;
  untold(): ReadonlyMap<string, number>;
  told(counts: ReadonlyMap<string, number>): void;
}

export function createAppliedCount(): AppliedCount {
  const counts = new Map<string, number>();
  const add = (origin: string, more: number): void =>
    void counts.set(origin, (counts.get(origin) ?? 0) + more);
  return {
    note(sets) {
      for (const set of sets) add(originOf(set), 1);
    },
    untold: () => new Map(counts),
    told(some) {
      for (const [origin, count] of some) add(origin, -count);
    },
  };
}
