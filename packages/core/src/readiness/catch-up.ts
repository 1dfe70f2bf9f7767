import { judgePeer, type ReadinessSettings, type ReplicationProgress } from './decide-readiness.ts';

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
 * store, and after standing still.
 */
export function nextCatchUp(input: CatchUpInput): number | undefined {
  const { nowMs, previous, settings } = input;
  const stoodStill = previous !== undefined && nowMs - previous.atMs > settings.heartbeatMsMax;
  if (previous === undefined || input.wasInterrupted || stoodStill) return nowMs;
  if (previous.catchingUpSinceMs === undefined) return undefined;
  const progress: ReplicationProgress = {
    ...input.progress,
    heartbeatMs: nowMs,
    catchingUpSinceMs: previous.catchingUpSinceMs,
  };
  const isBehind = input.progress.peers.some(
    (peer) => judgePeer(peer, { progress, nowMs, settings }) === 'behind',
  );
  return isBehind ? previous.catchingUpSinceMs : undefined;
}
