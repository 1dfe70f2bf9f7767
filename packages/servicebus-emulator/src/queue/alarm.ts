import type { Clock } from '../clock.ts';

/** A timer that keeps only its earliest time. */
export interface Alarm {
  ringAt(timeMs: number): void;
  cancel(): void;
}

/** Runs the task at the earliest time asked for, then forgets it; the task may ask again. */
export function createAlarm(clock: Clock, task: () => void): Alarm {
  let pending: { readonly timeMs: number; readonly cancel: () => void } | undefined;
  return {
    ringAt(timeMs) {
      if (pending !== undefined && pending.timeMs <= timeMs) return;
      pending?.cancel();
      const cancel = clock.schedule(timeMs - clock.nowMs(), () => {
        pending = undefined;
        task();
      });
      pending = { timeMs, cancel };
    },
    cancel() {
      pending?.cancel();
      pending = undefined;
    },
  };
}
