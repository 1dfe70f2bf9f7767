import { randomFillSync } from 'node:crypto';

const TOKEN_BYTES = 16;
const TOKENS_PER_FILL = 256;

/** Returns a source of unguessable lock tokens, which asks for random bytes many at a time. */
export function createLockTokens(): () => Buffer {
  let pool = Buffer.alloc(0);
  let offset = 0;
  return () => {
    if (offset === pool.length) {
      pool = randomFillSync(Buffer.allocUnsafeSlow(TOKENS_PER_FILL * TOKEN_BYTES));
      offset = 0;
    }
    offset += TOKEN_BYTES;
    return pool.subarray(offset - TOKEN_BYTES, offset);
  };
}
