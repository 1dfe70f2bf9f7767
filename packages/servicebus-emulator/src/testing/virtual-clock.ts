import type { Clock } from '../clock.ts';

export interface VirtualClock extends Clock {
  /** Moves the time on, runs what falls due in order, and lets the work that it began finish. */
  advance(ms: number): Promise<void>;
}

interface Timer {
  readonly timeMs: number;
  readonly task: () => void;
}

const START_MS = Date.parse('2026-11-01T00:00:00Z');

/** Promises of in-memory stores need a few turns of the event loop at most. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

export function createVirtualClock(): VirtualClock {
  let nowMs = START_MS;
  const timers = new Set<Timer>();
  const nextBefore = (endMs: number): Timer | undefined =>
    [...timers].filter((t) => t.timeMs <= endMs).sort((a, b) => a.timeMs - b.timeMs)[0];
  return {
    nowMs: () => nowMs,
    schedule(delayMs, task) {
      const timer = { timeMs: nowMs + Math.max(delayMs, 0), task };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    async advance(ms) {
      const endMs = nowMs + ms;
      await settle();
      for (let timer = nextBefore(endMs); timer !== undefined; timer = nextBefore(endMs)) {
        timers.delete(timer);
        nowMs = Math.max(nowMs, timer.timeMs);
        timer.task();
        await settle();
      }
      nowMs = endMs;
    },
  };
}
