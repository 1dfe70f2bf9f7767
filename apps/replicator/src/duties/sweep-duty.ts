import type { Replicator } from '@tandem/core';
import type { Activity } from '../observe/activity.ts';
import type { Duty } from './duty.ts';

export interface SweepDutyOptions {
  readonly sweeper: Pick<Replicator, 'sweepOnce'>;
  readonly activity: Activity;
  readonly intervalMs: () => number;
}

/** A pass reads at most a bounded number of rows, yet each may wait for a throttled table. */
const STALL_MS = 300_000;

/** Relays what crashed processes left in the outbox, and sends every peer a watermark. */
export function createSweepDuty({ sweeper, activity, intervalMs }: SweepDutyOptions): Duty {
  return {
    name: 'sweep',
    intervalMs,
    firstDelayMs: 0,
    isNeededForReady: true,
    stallMs: STALL_MS,
    async turn() {
      const report = await sweeper.sweepOnce();
      activity.noteRelayed(report?.relayed ?? 0);
    },
  };
}
