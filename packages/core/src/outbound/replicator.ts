import { createNotices, type Notices } from '../arrival/notices.ts';
import type { Applier } from '../inbound/apply-change-sets.ts';
import {
  type AppliedCount,
  createAppliedCount,
  createHeartbeatWriter,
} from '../inbound/heartbeat.ts';
import { createInbound, type InboundOptions } from '../inbound/inbound.ts';
import {
  type AppliedClaim,
  createWatermarkTracker,
  type WatermarkTracker,
} from '../inbound/watermark-tracker.ts';
import type { ChangeReceiver } from '../ports/change-receiver.ts';
import type { Clock } from '../ports/clock.ts';
import type { ConflictJournal } from '../ports/conflict-journal.ts';
import type { Lease } from '../ports/lease.ts';
import type { ReplicationStatus } from '../ports/replication-status.ts';
import type { ReadinessSettings } from '../readiness/decide-readiness.ts';
import { NEWEST_WIRE_VERSION } from '../wire/versions.ts';
import { encodeWatermark, soundOf, type Watermark } from '../wire/watermark.ts';
import type { PeerLink } from './peer-link.ts';
import { type SweepOptions, type SweepReport, sweep, tellConflicts } from './sweep.ts';

export interface ReplicatorOptions {
  readonly region: string;
  readonly clock: Clock;
  readonly receiver: ChangeReceiver;
  readonly links: readonly PeerLink[];
  readonly status: ReplicationStatus;
  readonly lease: Lease;
  /** How long one pass of the sweep holds the lease, in milliseconds. */
  readonly leaseMs: number;
  readonly readiness: ReadinessSettings;
  /** The settings that the environment of this process overrides, which its heartbeat names. */
  readonly overriddenSettings?: readonly string[] | undefined;
  /** Where what is noticed goes; its own by default. */
  readonly notices?: Notices;
  /** What each watermark says besides; without it nothing is claimed, and no receipt is ever full. */
  readonly appliedClaim?: AppliedClaim;
  /** The peers are told of what is found in it; without it of nothing. */
  readonly conflicts?: Pick<ConflictJournal, 'untold' | 'told'>;
  readonly sweep: Omit<SweepOptions, 'links' | 'clock' | 'notices'>;
  readonly inbound: Omit<InboundOptions, 'receiver' | 'clock' | 'onWatermark' | 'notices'>;
}

/** The duties of a replicator, one turn each. Whoever runs them repeats them for ever. */
export interface Replicator {
  /**
   * Relays what was left behind, sends every peer a watermark and tells it of conflicts; nothing without
   * the lease.
   */
  sweepOnce(): Promise<SweepReport | undefined>;
  /** Receives, applies and settles one batch, as `Inbound` does. Resolves with its length. */
  receiveOnce(signal: AbortSignal): Promise<number>;
  /** Resolves when all that was received is settled or given up. Never rejects. */
  drain(): Promise<void>;
  /** Writes the progress that the region's readiness is decided from. */
  beatOnce(): Promise<void>;
  /** Tells that the region may have missed something: from the next beat on it catches up anew. */
  interrupt(): void;
}

export function createReplicator(options: ReplicatorOptions): Replicator {
  const { clock, receiver, links } = options;
  const { notices = createNotices({ clock }), readiness: settings } = options;
  const tracker = createTracker(options, notices);
  const applied = createAppliedCount();
  const heartbeat = createHeartbeatWriter({ ...options, notices, tracker, settings, applied });

  const inbound = createInbound({
    ...options.inbound,
    applier: tellApplied(options.inbound.applier, applied),
    notices,
    clock,
    receiver,
    onWatermark: (watermark) => tracker.note(watermark),
    onOutage: (error, attempt, retryInMs) => {
      heartbeat.interrupt();
      options.inbound.onOutage?.(error, attempt, retryInMs);
    },
  });

  let claiming: Promise<ReadonlyMap<string, number>> | undefined;
  /** The claim asks this region's own queue: one that hangs must not keep the watermarks from the peers. */
  const claimInTime = async (): Promise<ReadonlyMap<string, number>> => {
    if (options.appliedClaim === undefined) return NO_CLAIMS;
    claiming ??= options.appliedClaim().finally(() => (claiming = undefined));
    const ended = new AbortController();
    const late = clock.sleep(CLAIM_WAIT_MS, ended.signal).then(() => NO_CLAIMS);
    return Promise.race([claiming, late]).finally(() => ended.abort());
  };

  return {
    async sweepOnce() {
      if (!(await options.lease.acquire(options.leaseMs))) return undefined;
      const report = await sweep({ ...options.sweep, links, clock, notices });
      const claims = await claimInTime();
      await Promise.all(
        links.map(async (link) => {
          const soundMs = report.sound.get(link.peer);
          const timeMs =
            report.watermarks.get(link.peer) ?? (soundMs === undefined ? undefined : 0);
          if (timeMs === undefined) return;
          const sound = soundMs === undefined || soundMs <= timeMs ? {} : { soundMs };
          const claim = claimsFor(link.peer, { links, claims });
          await sendWatermark(link, { from: options.region, timeMs, ...claim, ...sound });
        }),
      );
      const { region, conflicts } = options;
      if (conflicts !== undefined) await tellConflicts({ region, conflicts, links, clock });
      if (report.failure !== undefined) throw report.failure;
      return report;
    },

    async receiveOnce(signal) {
      try {
        return await inbound.receiveOnce(signal);
      } catch (error) {
        if (!signal.aborted) heartbeat.interrupt();
        throw error;
      }
    },

    drain: () => inbound.drain(),
    beatOnce: () => heartbeat.beatOnce(),
    interrupt: () => heartbeat.interrupt(),
  };
}

/** Tells which sets were applied, each time that one was. */
function tellApplied(applier: Applier, applied: AppliedCount): Applier {
  return {
    ...applier,
    async apply(sets, onMerged) {
      const results = await applier.apply(sets, onMerged);
      const isApplied = (key: string) => results.has(key) && results.get(key) === undefined;
      applied.note(sets.filter(({ key }) => isApplied(key)).map(({ set }) => set));
      return results;
    },
  };
}

function createTracker(
  { clock, links, readiness }: ReplicatorOptions,
  notices: Pick<Notices, 'note'>,
): WatermarkTracker {
  return createWatermarkTracker({
    clock,
    peers: links.map(({ peer }) => peer),
    driftMsMax: readiness.driftMsMax,
    // Of strangers there is one notice for all: their names are theirs to invent.
    onRefused: (from, why) => {
      const isPeer = links.some(({ peer }) => peer === from);
      notices.note('claim-refused', isPeer ? from : 'a region that is no peer', `${from}: ${why}`);
    },
  });
}

/** Returns what of the peer's is applied here, and what of every region; nothing while one has not been heard. */
function claimsFor(
  peer: string,
  { links, claims }: { links: readonly PeerLink[]; claims: ReadonlyMap<string, number> },
): Pick<Watermark, 'appliedMs' | 'allAppliedMs'> {
  const appliedMs = claims.get(peer);
  if (appliedMs === undefined) return {};
  const times = links.map((link) => claims.get(link.peer)).filter((time) => time !== undefined);
  return times.length < links.length
    ? { appliedMs }
    : { appliedMs, allAppliedMs: Math.min(...times) };
}

const NO_CLAIMS: ReadonlyMap<string, number> = new Map();
/** As long as a watermark without a claim may be late for the sake of one with it. */
const CLAIM_WAIT_MS = 500;

async function sendWatermark(link: PeerLink, watermark: Watermark): Promise<void> {
  const messageId = `watermark/${watermark.from}/${soundOf(watermark)}`;
  const body = encodeWatermark({ ...watermark, reads: NEWEST_WIRE_VERSION });
  await link.briefly(link.publish([{ messageId, subject: 'watermark', body }]));
}
