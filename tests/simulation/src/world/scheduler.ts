import { EventHeap, type TimedEvent } from './event-heap.ts';

/** Virtual time. One event at a time, and everything that it sets going runs before the next. */
export interface Scheduler {
  readonly eventCount: number;
  /** The true time, in milliseconds since the epoch; what processes see is their own clock's. */
  nowMs(): number;
  /** Calls `work` once, `delayMs` from now. Returns what cancels it. */
  schedule(delayMs: number, work: () => void): () => void;
  sleep(durationMs: number): Promise<void>;
  /** Runs events until `isDone`, which is asked after each, or until `limitMs` (true time). */
  runUntil(isDone: () => boolean, limitMs: number): Promise<boolean>;
}

export function createScheduler(startMs: number): Scheduler {
  const heap = new EventHeap();
  let currentMs = startMs;
  let sequence = 0;
  let eventCount = 0;

  const schedule = (delayMs: number, work: () => void): (() => void) => {
    const atMs = currentMs + Math.max(0, Math.round(delayMs));
    const event: TimedEvent = { atMs, sequence: (sequence += 1), work, isCancelled: false };
    heap.push(event);
    return () => {
      event.isCancelled = true;
    };
  };

  return {
    get eventCount() {
      return eventCount;
    },
    nowMs: () => currentMs,
    schedule,
    sleep: (durationMs) =>
      new Promise((resolve) => {
        schedule(durationMs, resolve);
      }),
    async runUntil(isDone, limitMs) {
      await othersHaveRun();
      for (;;) {
        if (isDone()) return true;
        const next = heap.peek();
        if (next === undefined || next.atMs > limitMs) {
          currentMs = Math.max(currentMs, limitMs);
          return isDone();
        }
        heap.pop();
        if (next.isCancelled) continue;
        currentMs = next.atMs;
        eventCount += 1;
        next.work();
        await othersHaveRun();
      }
    },
  };
}

/** Resolves in a later turn of the event loop, when no promise callback is left to run. */
function othersHaveRun(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
