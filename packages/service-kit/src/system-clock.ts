import { randomUUID } from 'node:crypto';
import type { Clock, Randomness } from '@tandem/core';

/** Timers of Node count in 32 bits; a longer one fires at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export function createSystemClock(): Clock {
  return {
    nowMs: () => Date.now(),
    async sleep(durationMs, signal) {
      for (let leftMs = durationMs; leftMs > 0; leftMs -= TIMER_MS_MAX) {
        if (signal?.aborted === true) return;
        await waitForTimer(Math.min(leftMs, TIMER_MS_MAX), signal);
      }
    },
  };
}

function waitForTimer(durationMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, durationMs);
    signal?.addEventListener('abort', end, { once: true });
  });
}

export function createSystemRandomness(): Randomness {
  return { fraction: () => Math.random(), uuid: () => randomUUID() };
}

/**
 * Resolves at the end of this turn of the event loop, when every socket that has something to read
 * was read: requests that arrive together have all begun by then.
 */
export function untilTurnEnds(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
