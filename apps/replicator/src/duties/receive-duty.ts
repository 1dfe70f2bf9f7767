import { AppError, type Replicator } from '@tandem/core';
import type { Activity } from '../observe/activity.ts';
import type { Duty } from './duty.ts';

export interface ReceiveDutyOptions {
  readonly replicator: Pick<Replicator, 'receiveOnce'>;
  /** Makes this region's own queue exist. */
  readonly ensureQueue: () => Promise<void>;
  readonly activity: Activity;
}

/** While the store is down the batch in hand gives a sign of life at each attempt. */
const STALL_MS = 300_000;

/** Receives, applies and settles batch after batch, once the region's own queue exists. */
export function createReceiveDuty(options: ReceiveDutyOptions): Duty {
  const { replicator, ensureQueue, activity } = options;
  let isQueueThere = false;
  return {
    name: 'receive',
    intervalMs: () => 0,
    firstDelayMs: 0,
    isNeededForReady: true,
    stallMs: STALL_MS,
    async turn(signal) {
      if (!isQueueThere) await ensureQueue();
      isQueueThere = true;
      try {
        activity.noteReceived(await replicator.receiveOnce(signal));
      } catch (error) {
        isQueueThere = !(error instanceof AppError && error.code === 'BUS_ENTITY_MISSING');
        throw error;
      }
    },
  };
}
