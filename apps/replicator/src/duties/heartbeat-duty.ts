import type { Replicator } from '@tandem/core';
import type { DrillRest } from '../drill/drill-rest.ts';
import type { Duty } from './duty.ts';

const INTERVAL_MS = 1_000;
const STALL_MS = 120_000;

/**
 * Writes the progress that the region's readiness is decided from. A region that is out for a drill
 * is silent, and catches up when it is back as after an outage.
 */
export function createHeartbeatDuty({
  replicator,
  drillRest,
}: {
  readonly replicator: Pick<Replicator, 'beatOnce' | 'interrupt'>;
  readonly drillRest: DrillRest;
}): Duty {
  return {
    name: 'heartbeat',
    intervalMs: () => INTERVAL_MS,
    firstDelayMs: 0,
    isNeededForReady: false,
    stallMs: STALL_MS,
    async turn() {
      await drillRest.look();
      if (drillRest.isOut()) replicator.interrupt();
      else await replicator.beatOnce();
    },
  };
}
