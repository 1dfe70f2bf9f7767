import { assert } from '../errors.ts';
import type { VirtualClock } from './virtual-clock.ts';

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
