import { believedMs, believedPeers, isBelievable, type OwnClock } from '../arrival/claims.ts';
import { joinNotices } from '../arrival/notices.ts';
import { AppError } from '../errors.ts';
import { latestHorizon } from '../model/horizons.ts';
import type { Notice, ReplicationProgress } from '../model/progress.ts';
import { scanOutbox } from '../outbound/sweep.ts';
import type { Clock } from '../ports/clock.ts';
import type { ConflictJournal } from '../ports/conflict-journal.ts';
import type { DrillSwitch } from '../ports/drill.ts';
import type { RegionHold } from '../ports/lease.ts';
import type { Outbox } from '../ports/outbox.ts';
import type { ArchiveKeeper, HorizonRecord } from '../ports/recovery-region.ts';
import type { ReplicationStatus } from '../ports/replication-status.ts';
import {
  decideReadiness,
  type Readiness,
  type ReadinessSettings,
} from '../readiness/decide-readiness.ts';

/** Counts the messages that wait in a region's own queue. */
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
  /** Counts the change sets of the peer that were applied here; undefined where no replicator says so. */
  readonly appliedSets?: number | undefined;
}

export interface RegionStatus {
  readonly region: string;
  /** As the region's own tables tell: what its API says may be younger. */
  readonly readiness: Readiness;
  readonly directions: readonly DirectionStatus[];
  readonly outbox: Pick<OutboxDepth, 'owedToAll' | 'isComplete'>;
  /** Undefined, with the code of the error, when the queue does not answer. */
  readonly queue: QueueCounts | { readonly error: string } | undefined;
  /** Counts up to `CONFLICTS_COUNTED_MAX`. */
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
    appliedSets: heard?.appliedSets,
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

/** What a region still owes one peer. */
interface OwedToPeer {
  /** Changes, at least: `isComplete` says whether counting went to the end. */
  readonly changes: number;
  /** The writer's wall clock before the oldest was committed; undefined when nothing that is owed says so. */
  readonly oldestMs: number | undefined;
  /**
   * Counts those of `changes` of which nobody can say how old they are: damaged, set aside, or of a wrong
   * clock.
   */
  readonly undated: number;
}

interface OutboxDepth {
  readonly byPeer: ReadonlyMap<string, OwedToPeer>;
  /** Changes that no peer's queue has accepted: they are lost if the region is. */
  readonly owedToAll: number;
  readonly isComplete: boolean;
}

/** Beyond it a figure is a lower bound, and says so. */
const ENTRIES_COUNTED_MAX = 20_000;

/**
 * Counts what lies in the outboxes of a region's entity kinds. A row that cannot be read, or that was set aside, counts as one change that
 * is owed to everyone.
 */
export async function readOutboxDepth(
  outboxes: readonly Outbox[],
  peers: readonly string[],
  own: OwnClock,
): Promise<OutboxDepth> {
  const counted = createCount(peers, own);
  for (const [kind, outbox, bucket] of bucketsOf(outboxes)) {
    for await (const page of scanOutbox(outbox, { bucket, peers })) {
      for (const { set, owed, committedAfterMs, parkedFor } of page.entries) {
        const to = parkedFor === undefined ? owed : [parkedFor];
        counted.add(set.stamp, { to, changes: set.changes.length, committedAfterMs });
      }
      for (const rowKey of [...page.unreadable, ...page.aside]) {
        counted.add(`${kind}/${bucket}/${rowKey}`, {
          to: peers,
          changes: 1,
          committedAfterMs: undefined,
        });
      }
      if (counted.rows() >= ENTRIES_COUNTED_MAX) return counted.depth(false);
    }
  }
  // Where nobody knows the buckets nothing was looked at.
  return counted.depth(outboxes.every(({ buckets }) => buckets.length > 0));
}

function bucketsOf(outboxes: readonly Outbox[]): readonly (readonly [number, Outbox, string])[] {
  return outboxes.flatMap((outbox, kind) =>
    outbox.buckets.map((bucket) => [kind, outbox, bucket] as const),
  );
}

interface OwedSet {
  readonly to: Iterable<string>;
  readonly changes: number;
  readonly committedAfterMs: number | undefined;
}

/** A change set that was parked lies there once for each peer: it is owed to all who have a row. */
function createCount(peers: readonly string[], own: OwnClock) {
  const sets = new Map<string, OwedSet & { readonly to: Set<string> }>();
  let rows = 0;
  return {
    rows: () => rows,
    add(name: string, set: OwedSet): void {
      rows += 1;
      sets.set(name, { ...set, to: new Set([...(sets.get(name)?.to ?? []), ...set.to]) });
    },
    depth(isComplete: boolean): OutboxDepth {
      const all = [...sets.values()];
      const byPeer = new Map(
        peers.map(
          (peer) =>
            [
              peer,
              sumOf(
                all.filter(({ to }) => to.has(peer)),
                own,
              ),
            ] as const,
        ),
      );
      const toAll = all.filter(({ to }) => peers.every((peer) => to.has(peer)));
      return { byPeer, owedToAll: sumOf(toAll, own).changes, isComplete };
    },
  };
}

function sumOf(sets: readonly OwedSet[], own: OwnClock): OwedToPeer {
  let changes = 0;
  let undated = 0;
  let oldestMs: number | undefined;
  for (const { changes: count, committedAfterMs } of sets) {
    changes += count;
    // Nothing was committed at the beginning of time: such a row lacks its column.
    if (committedAfterMs === undefined || committedAfterMs <= 0) undated += count;
    else if (!isBelievable(committedAfterMs, own)) undated += count;
    else oldestMs = Math.min(oldestMs ?? committedAfterMs, committedAfterMs);
  }
  return { changes, oldestMs, undated };
}
