import { assert } from '../errors.ts';
import type { Clock } from '../ports/clock.ts';

/** A clock that stands still until it is advanced, so that a test decides what time it is. */
export interface VirtualClock extends Clock {
  /**
   * Moves time forward by `durationMs`. Wakes the sleepers that fall due one at a time, by due time
   * and then by the order in which they fell asleep, and lets what each one woke run until it waits
   * again before the next is woken: so what they do is deterministic. Not reentrant.
   */
  advance(durationMs: number): Promise<void>;
  /** Returns when the next sleeper is due, in milliseconds since the epoch; undefined when nobody sleeps. */
  nextWakeMs(): number | undefined;
}

interface Sleeper {
  readonly dueMs: number;
  readonly wake: () => void;
}

export function createVirtualClock(startMs: number): VirtualClock {
  let currentMs = startMs;
  let isAdvancing = false;
  const sleepers = new Set<Sleeper>();

  const nextSleeper = (): Sleeper | undefined => {
    let next: Sleeper | undefined;
    // Insertion order breaks ties, because only an earlier due time replaces the one found.
    for (const one of sleepers) if (next === undefined || one.dueMs < next.dueMs) next = one;
    return next;
  };

  const wakeUntil = async (targetMs: number): Promise<void> => {
    await othersHaveRun();
    for (;;) {
      const next = nextSleeper();
      if (next === undefined || next.dueMs > targetMs) break;
      currentMs = Math.max(currentMs, next.dueMs);
      next.wake();
      await othersHaveRun();
    }
    currentMs = targetMs;
  };

  return {
    nowMs: () => currentMs,
    sleep(durationMs, signal) {
      return new Promise((resolve) => {
        if (signal?.aborted === true || durationMs <= 0) return resolve();
        const wake = (): void => {
          sleepers.delete(sleeper);
          signal?.removeEventListener('abort', wake);
          resolve();
        };
        const sleeper: Sleeper = { dueMs: currentMs + durationMs, wake };
        sleepers.add(sleeper);
        signal?.addEventListener('abort', wake, { once: true });
      });
    },
    async advance(durationMs) {
      assert(durationMs >= 0, `time cannot go back by ${durationMs} ms`);
      assert(!isAdvancing, 'the virtual clock is already being advanced');
      isAdvancing = true;
      await wakeUntil(currentMs + durationMs).finally(() => {
        isAdvancing = false;
      });
    },
    nextWakeMs: () => nextSleeper()?.dueMs,
  };
}

/** Resolves in a later turn of the event loop, when no promise callback is left to run. */
function othersHaveRun(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/**
 * Advances the clock from one sleeper to the next until `work` is done, and no further. Fails when
 * the work is still waiting while nobody sleeps, for then no time will ever finish it.
 */
export async function driveVirtualTime<T>(clock: VirtualClock, work: Promise<T>): Promise<T> {
  const progress = { isDone: false };
  const finished = work.finally(() => {
    progress.isDone = true;
  });
  // Whoever called is told through the promise returned below, not by an unhandled rejection.
  finished.catch(() => undefined);
  await clock.advance(0);
  while (!progress.isDone) {
    const wakeMs = clock.nextWakeMs();
    assert(wakeMs !== undefined, 'the work waits, and nobody sleeps whom time could wake');
    await clock.advance(Math.max(0, wakeMs - clock.nowMs()));
  }
  return finished;
}
