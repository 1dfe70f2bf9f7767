import { createSystemClock } from '@tandem/service-kit';

const clock = createSystemClock();
const DEADLINE_MS = 45_000;
const POLL_MS = 50;

/** Waits for what `look` finds; fails with `what` and the last finding when it takes too long. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const deadlineMs = clock.nowMs() + DEADLINE_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (clock.nowMs() > deadlineMs)
      throw new Error(`waited ${DEADLINE_MS} ms in vain for: ${what}`);
    await clock.sleep(POLL_MS);
  }
}
