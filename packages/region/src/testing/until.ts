import { createSystemClock } from '@tandem/service-kit';

const clock = createSystemClock();
/** Longer than the minute for which a message stays locked whose receiver was killed. */
const DEADLINE_MS = 100_000;
const POLL_MS = 50;

/** Waits for what `look` finds, and takes an error of it for nothing found; fails with `what` and the last error. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const deadlineMs = clock.nowMs() + DEADLINE_MS;
  for (let cause: unknown; ; ) {
    try {
      const found = await look();
      if (found !== undefined && found !== false) return found;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (clock.nowMs() > deadlineMs) {
      throw new Error(`waited ${DEADLINE_MS} ms in vain for: ${what}`, { cause });
    }
    await clock.sleep(POLL_MS);
  }
}
