import { randomBytes, randomUUID } from 'node:crypto';
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

const LENGTH = 10;
const RADIX = 36;

/**
 * Ten lower-case letters and digits that name this process in every stamp it makes: 51 bits, so
 * among a million processes of one region two share a name with a chance of one in seven thousand,
 * and then also need the same millisecond and counter to make the same stamp.
 */
export function createWriterId(randomness: Randomness): string {
  // What follows the version and the variant of the UUID: 60 random bits.
  const bits = BigInt(`0x${randomness.uuid().replaceAll('-', '').slice(17)}`);
  return bits.toString(RADIX).padStart(LENGTH, '0').slice(-LENGTH);
}

const ID_BYTES = 16;
const ID_LENGTH = 2 * ID_BYTES;
/** Made at once: asking for the bytes of one, and for its text, takes longer than its use. */
const BATCH = 256;

/** Makes ids of 32 hex digits, all of them random, as trace ids are. */
export function createRandomIds(): () => string {
  let batch = '';
  let at = 0;
  return () => {
    if (at === batch.length) {
      batch = randomBytes(BATCH * ID_BYTES).toString('hex');
      at = 0;
    }
    at += ID_LENGTH;
    return batch.slice(at - ID_LENGTH, at);
  };
}
