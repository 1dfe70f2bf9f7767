import { TransientError } from '../errors.ts';
import type { PeerProgress, PeerReads, ReplicationProgress } from '../model/progress.ts';

/**
 * Is what a region or a process says of itself and another one believes: times of watermarks, of heartbeats, of
 * what was applied, of proofs. A claim is no data: one that cannot be true is refused and forgotten, and
 * whoever made it says it again in a second (I16).
 */
export interface OwnClock {
  readonly nowMs: number;
  /** Says how far ahead of this clock another may be and still be believed. */
  readonly driftMsMax: number;
}

/** Is the default of the setting `Clock.DriftMsMax`. */
export const CLAIM_AHEAD_MS_MAX = 60_000;

/** Says whether a claim of that time can be true: no honest clock is further ahead than clocks may drift. */
export function isBelievable(claimMs: number, { nowMs, driftMsMax }: OwnClock): boolean {
  return claimMs >= 0 && claimMs <= nowMs + driftMsMax;
}

/**
 * Returns the part of a claim that is believed, undefined for none of it. Nothing that was said by now says
 * anything of what comes, so no claim reaches beyond now: where a peer's clock is a little ahead, the lag
 * begins to grow all the same when the peer falls silent.
 */
export function believedMs(claimMs: number | undefined, own: OwnClock): number | undefined {
  if (claimMs === undefined || !isBelievable(claimMs, own)) return undefined;
  return Math.min(claimMs, own.nowMs);
}

/**
 * Throws `CLOCK_AHEAD` where the clock here is further ahead of the store's than clocks may drift. Which of the two is
 * wrong nobody can tell here, so nothing that cannot be undone may follow from either.
 */
export function checkOwnClock({ nowMs, driftMsMax }: OwnClock, storeMs: number | undefined): void {
  if (storeMs === undefined || isBelievable(nowMs, { nowMs: storeMs, driftMsMax })) return;
  throw new TransientError(
    'CLOCK_AHEAD',
    `The clock here is ${nowMs - storeMs} ms ahead of the store's, the limit is Clock.DriftMsMax: what looks too old ` +
      'is held. Set the clock of this machine by NTP, or move the process to another one.',
    { details: { nowMs, storeMs } },
  );
}

/** Returns what is believed of the progress that a table row tells of a peer. */
export function believedPeer(peer: PeerProgress, own: OwnClock): PeerProgress {
  const { appliedMs, allAppliedMs, soundMs, reads, appliedSets, ...rest } = peer;
  const applied = believedMs(appliedMs, own);
  const allApplied = believedMs(allAppliedMs, own);
  const sound = believedMs(soundMs, own);
  return {
    ...rest,
    passedMs: believedMs(peer.passedMs, own),
    ...(applied === undefined ? {} : { appliedMs: applied }),
    ...(allApplied === undefined ? {} : { allAppliedMs: allApplied }),
    ...(sound === undefined ? {} : { soundMs: sound }),
    ...(reads === undefined || !isBelievable(reads.heardMs, own) ? {} : { reads }),
    ...(appliedSets === undefined || !isCount(appliedSets) ? {} : { appliedSets }),
  };
}

/** Beyond it adding one changes nothing, so that a busy region would look like an idle one for ever. */
function isCount(count: number): boolean {
  return count >= 0 && Number.isSafeInteger(count);
}

/**
 * Returns the peers' progress as far as it is believed. None is while the heartbeat itself is of the future:
 * then one of the two clocks is wrong, and what was written by the one says nothing to the other.
 */
export function believedPeers(
  progress: ReplicationProgress | undefined,
  own: OwnClock,
): readonly PeerProgress[] {
  if (progress === undefined || !isBelievable(progress.heartbeatMs, own)) return [];
  return progress.peers.map((peer) => believedPeer(peer, own));
}

/** Returns what was heard last; the second where both were heard at once. */
export function newestReads(
  a: PeerReads | undefined,
  b: PeerReads | undefined,
): PeerReads | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a.heardMs > b.heardMs ? a : b;
}

/** Returns the newer of two claims that are believed. */
export function newestMs(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);
}
