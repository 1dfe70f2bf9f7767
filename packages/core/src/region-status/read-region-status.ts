import { believedMs, believedPeers, type OwnClock } from '../arrival/claims.ts';
import { joinNotices } from '../arrival/notices.ts';
import { AppError } from '../errors.ts';
import { latestHorizon } from '../model/horizons.ts';
import type { Notice, ReplicationProgress } from '../model/progress.ts';
import type { Clock } from '../ports/clock.ts';
import type { ConflictJournal } from '../ports/conflict-journal.ts';
import type { DrillSwitch } from '../ports/drill-switch.ts';
import type { Outbox } from '../ports/outbox.ts';
import type { ArchiveKeeper, HorizonRecord } from '../ports/recovery-region.ts';
import type { RegionHold } from '../ports/region-hold.ts';
import type { ReplicationStatus } from '../ports/replication-status.ts';
import {
  decideReadiness,
  type Readiness,
  type ReadinessSettings,
} from '../readiness/decide-readiness.ts';
import { type OutboxDepth, readOutboxDepth } from './read-outbox-depth.ts';

/** Messages that wait in a region's own queue. */
interface QueueCounts {
  readonly waiting: number;
  readonly deadLettered: number;
}

/** What a region keeps of one entity kind. */
export interface KindSources {
  readonly entityKind: string;
  readonly outbox: Outbox;
  readonly conflicts: Pick<ConflictJournal, 'list'>;
  readonly archive: Pick<ArchiveKeeper, 'horizonMs'>;
  /** Says how far back its conflicts go; all of them where it is undefined. */
  readonly conflictsFrom?: Pick<HorizonRecord, 'read'> | undefined;
}

export interface RegionSources {
  readonly region: string;
  readonly peers: readonly string[];
  /** What it keeps of each entity kind that it has. */
  readonly kinds: readonly KindSources[];
  readonly status: Pick<ReplicationStatus, 'read'>;
  readonly drill: Pick<DrillSwitch, 'read'>;
  readonly hold: Pick<RegionHold, 'read'>;
  readonly settings: ReadinessSettings;
  readonly clock: Clock;
  /** Throws what the bus throws; undefined where the queue cannot be asked. */
  readonly countMessages: (() => Promise<QueueCounts>) | undefined;
  /** When the regions were last proven equal. */
  readonly readProof: () => Promise<number | undefined>;
}

export interface DirectionStatus {
  readonly peer: string;
  /** Now minus the last watermark passed from the peer; undefined when none ever was (I11). */
  readonly lagMs: number | undefined;
  /** Changes that are still owed to the peer, and how old the oldest of them is. */
  readonly owedChanges: number;
  readonly owedAgeMs: number | undefined;
  /** Counts those of `owedChanges` of which nobody can say how old they are. */
  readonly owedUndated: number;
  readonly isReachable: boolean | undefined;
}

export interface RegionStatus {
  readonly region: string;
  /** As the region's own tables tell: what its API says may be younger. */
  readonly readiness: Readiness;
  readonly directions: readonly DirectionStatus[];
  readonly outbox: Pick<OutboxDepth, 'owedToAll' | 'isComplete'>;
  /** Undefined, with the code of the error, when the queue does not answer. */
  readonly queue: QueueCounts | { readonly error: string } | undefined;
  /** Up to `CONFLICTS_COUNTED_MAX`. */
  readonly conflicts: number;
  /**
   * Says how the replicator's clock stands against ours: positive when it is ahead; undefined when it is
   * silent.
   */
  readonly clockOffsetMs: number | undefined;
  readonly provenEqualMs: number | undefined;
  /** How far back its archive goes, in milliseconds; undefined where nothing was ever trimmed. */
  readonly archiveFromMs: number | undefined;
  /** How far back its conflicts go, in the same way. */
  readonly conflictsFromMs: number | undefined;
  /** What its replicators have noticed and an operator has to know of. */
  readonly notices: readonly Notice[];
}

export const CONFLICTS_COUNTED_MAX = 1_000;

/** Reads all that can be known of a region from its own tables and queue. Throws what the store throws. */
export async function readRegionStatus(sources: RegionSources): Promise<RegionStatus> {
  const { region, peers, kinds, clock, settings } = sources;
  const [progress, drill, hold, depth, conflicts, clockOffsetMs, queue, provenEqualMs, ...from] =
    await Promise.all([
      sources.status.read(),
      sources.drill.read(),
      sources.hold.read(),
      readOutboxDepth(
        kinds.map(({ outbox }) => outbox),
        peers,
        { nowMs: clock.nowMs(), driftMsMax: settings.driftMsMax },
      ),
      countConflicts(kinds),
      measureClockOffset(sources.status, clock),
      countMessages(sources.countMessages),
      sources.readProof(),
      latestOf(kinds, ({ archive, entityKind }) => archive.horizonMs(entityKind)),
      latestOf(kinds, async ({ conflictsFrom }) =>
        conflictsFrom === undefined ? undefined : latestHorizon(await conflictsFrom.read()),
      ),
    ]);
  const nowMs = clock.nowMs();
  const own = { nowMs, driftMsMax: settings.driftMsMax };
  const hasPeers = peers.length > 0;
  const input = { nowMs, startedMs: 0, isStoreAnswering: true, progress, hasPeers, drill, hold };
  return {
    region,
    readiness: decideReadiness(input, settings),
    directions: peers.map((peer) => directionOf(peer, { progress, depth, own })),
    outbox: { owedToAll: depth.owedToAll, isComplete: depth.isComplete },
    queue,
    conflicts,
    clockOffsetMs,
    provenEqualMs: believedMs(provenEqualMs, own),
    archiveFromMs: from[0],
    conflictsFromMs: from[1],
    notices: joinNotices([progress?.notices ?? []], nowMs),
  };
}

/** Returns the horizon of the kind that goes back least. */
async function latestOf(
  kinds: readonly KindSources[],
  read: (kind: KindSources) => Promise<number | undefined>,
): Promise<number | undefined> {
  const found = await Promise.all(kinds.map(read));
  const known = found.filter((horizonMs) => horizonMs !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

async function countConflicts(kinds: readonly KindSources[]): Promise<number> {
  const listed = await Promise.all(
    kinds.map(({ conflicts, entityKind }) => conflicts.list(entityKind, CONFLICTS_COUNTED_MAX)),
  );
  const count = listed.reduce((sum, { length }) => sum + length, 0);
  return Math.min(count, CONFLICTS_COUNTED_MAX);
}

interface Known {
  readonly progress: ReplicationProgress | undefined;
  readonly depth: OutboxDepth;
  readonly own: OwnClock;
}

function directionOf(peer: string, { progress, depth, own }: Known): DirectionStatus {
  const heard = believedPeers(progress, own).find((one) => one.peer === peer);
  const owed = depth.byPeer.get(peer);
  const age = (sinceMs: number | undefined) =>
    sinceMs === undefined ? undefined : Math.max(0, own.nowMs - sinceMs);
  return {
    peer,
    lagMs: age(heard?.passedMs),
    owedChanges: owed?.changes ?? 0,
    owedAgeMs: age(owed?.oldestMs),
    owedUndated: owed?.undated ?? 0,
    isReachable: heard?.isReachable,
  };
}

/** A queue that is down is part of the answer, not its end. */
async function countMessages(
  count: RegionSources['countMessages'],
): Promise<QueueCounts | { readonly error: string } | undefined> {
  try {
    return await count?.();
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { error: error.code };
  }
}

const POLL_MS = 100;
/** A heartbeat comes every second, more or less. */
const POLLS_MAX = 25;

/**
 * Measures how far the clock of a region's replicator is ahead of ours, in milliseconds, to about the time of a
 * poll: read off a heartbeat that was written between two looks. Undefined when none comes.
 */
export async function measureClockOffset(
  status: Pick<ReplicationStatus, 'read'>,
  clock: Clock,
): Promise<number | undefined> {
  const first = (await status.read())?.heartbeatMs;
  if (first === undefined) return undefined;
  for (let poll = 1; poll <= POLLS_MAX; poll += 1) {
    const beforeMs = clock.nowMs();
    await clock.sleep(POLL_MS);
    const heartbeatMs = (await status.read())?.heartbeatMs;
    if (heartbeatMs === undefined) return undefined;
    if (heartbeatMs !== first) return heartbeatMs - Math.round((beforeMs + clock.nowMs()) / 2);
  }
  return undefined;
}
