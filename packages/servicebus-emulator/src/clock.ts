/** Time and timers, so that tests can drive lock expiry and time to live without waiting. */
export interface Clock {
  /** Returns the milliseconds since the Unix epoch. */
  nowMs(): number;
  /** Runs the task once after the delay; the returned function cancels it. */
  schedule(delayMs: number, task: () => void): () => void;
}

/** setTimeout treats a longer delay as zero, so longer waits are taken in steps. */
const TIMER_DELAY_MS_MAX = 2 ** 31 - 1;

/** The wall clock. Its timers never keep the process alive. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  schedule(delayMs, task) {
    const timer = setTimeout(task, Math.min(Math.max(delayMs, 0), TIMER_DELAY_MS_MAX));
    timer.unref();
    return () => clearTimeout(timer);
  },
};
