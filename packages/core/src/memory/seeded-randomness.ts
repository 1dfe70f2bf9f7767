import type { Randomness } from '../ports/randomness.ts';

const WORD_MAX = 2 ** 32;
const FRACTION_BITS_LOW = 2 ** 26;
const FRACTION_BITS = 2 ** 53;
/** Enough rounds for a seed of one bit to reach every bit of the state. */
const WARM_UP_ROUNDS = 12;

/**
 * Gives the same sequence for the same seed, on every machine. The generator is sfc32: small, fast and good
 * enough to choose faults and jitter with, never for secrets.
 */
export function createSeededRandomness(seed: number): Randomness {
  const nextWord = createSfc32(seed);
  for (let round = 0; round < WARM_UP_ROUNDS; round += 1) nextWord();
  return {
    fraction() {
      const high = nextWord() >>> 5;
      const low = nextWord() >>> 6;
      return (high * FRACTION_BITS_LOW + low) / FRACTION_BITS;
    },
    uuid() {
      const words = Array.from({ length: 4 }, nextWord);
      const hex = words.map((word) => word.toString(16).padStart(8, '0')).join('');
      const variant = ((parseInt(hex.charAt(16), 16) & 0b0011) | 0b1000).toString(16);
      return [
        hex.slice(0, 8),
        hex.slice(8, 12),
        `4${hex.slice(13, 16)}`,
        `${variant}${hex.slice(17, 20)}`,
        hex.slice(20),
      ].join('-');
    },
  };
}

/** Chris Doty-Humphrey's sfc32, as in PractRand. */
function createSfc32(seed: number): () => number {
  let a = Math.trunc(seed) | 0;
  let b = Math.trunc(seed / WORD_MAX) | 0;
  let c = 0x9e3779b9 | 0;
  let counter = 1;
  return () => {
    const word = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + word;
    c |= 0;
    return word >>> 0;
  };
}
