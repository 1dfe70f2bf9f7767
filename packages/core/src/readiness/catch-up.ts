import { isBelievable } from '../arrival/claims.ts';
import type { ReplicationProgress } from '../model/progress.ts';
import { judgePeer, type ReadinessSettings } from './decide-readiness.ts';

export interface CatchUpInput {
  readonly nowMs: number;
  /** Undefined before the first beat. */
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
