import type { Replicator } from '@tandem/core';
import type { Duty } from './duty.ts';

const INTERVAL_MS = 1_000;
const STALL_MS = 120_000;

/** Writes the progress that the region's readiness is decided from. */
export function createHeartbeatDuty({
  replicator,
}: {
  readonly replicator: Pick<Replicator, 'beatOnce'>;
}): Duty {
  return {
    name: 'heartbeat',
    intervalMs: () => INTERVAL_MS,
    firstDelayMs: 0,
    isNeededForReady: false,
    stallMs: STALL_MS,
    turn: () => replicator.beatOnce(),
  };
}
