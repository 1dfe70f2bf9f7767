import { randomBytes } from 'node:crypto';
import type { Randomness } from '@tandem/core';

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
