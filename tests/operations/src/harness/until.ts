import { setTimeout as delay } from 'node:timers/promises';

const DEADLINE_MS = 60_000;
const POLL_MS = 50;

/** Resolves with the first answer that is not undefined; throws when none comes in time. */
export async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + DEADLINE_MS;
  let trouble: unknown;
  while (performance.now() < deadline) {
    try {
      const found = await ask();
      if (found !== undefined) return found;
    } catch (error) {
      // A process that is just down or starting: asked again until the deadline.
      trouble = error;
    }
    await delay(POLL_MS);
  }
  throw new Error(`Not in ${DEADLINE_MS} ms: ${what}`, { cause: trouble });
}
