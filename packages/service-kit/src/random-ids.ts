import { randomBytes } from 'node:crypto';

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
