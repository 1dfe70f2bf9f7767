import type { Clock } from './clock.ts';
import type { Queue } from './queue/queue.ts';

interface IdleWatch {
  /** The queue and its dead letters: use of either keeps both. */
  readonly queues: readonly Queue[];
  readonly idleMs: number;
  readonly clock: Clock;
  readonly remove: () => void;
}

/**
 * Removes a queue that nobody has used for so long: sent to, received from, looked into, or changed,
 * with no receiver waiting and no message scheduled. Returns how to stop.
 */
export function deleteWhenIdle({ queues, idleMs, clock, remove }: IdleWatch): () => void {
  if (!Number.isFinite(idleMs)) return () => undefined;
  let cancel: () => void = () => undefined;
  const look = (): void => {
    const nowMs = clock.nowMs();
    const isInUse = queues.some((queue) => queue.isInUse());
    const lastUsedAtMs = Math.max(...queues.map((queue) => queue.lastUsedAtMs()));
    const leftMs = (isInUse ? nowMs : lastUsedAtMs) + idleMs - nowMs;
    if (leftMs <= 0) remove();
    else cancel = clock.schedule(leftMs, look);
  };
  look();
  return () => cancel();
}
