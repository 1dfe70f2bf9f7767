import type { ChangeReceiver } from '@tandem/core';
import type { Duty } from './duty.ts';

const INTERVAL_MS = 10_000;
/** They are counted by looking at each one. */
const DEAD_LETTERS_COUNTED_MAX = 1_000;
const STALL_MS = 300_000;

/** Counts the dead letters of this region's queue, for `/status`. */
export function createDeadLetterDuty({
  receiver,
}: {
  readonly receiver: Pick<ChangeReceiver, 'countDeadLetters'>;
}): Duty {
  return {
    name: 'dead-letters',
    intervalMs: () => INTERVAL_MS,
    firstDelayMs: 0,
    isNeededForReady: false,
    stallMs: STALL_MS,
    async turn() {
      await receiver.countDeadLetters(DEAD_LETTERS_COUNTED_MAX);
    },
  };
}
