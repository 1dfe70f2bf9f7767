import { createHash } from 'node:crypto';
import type { Digest } from '@tandem/core';

/** SHA-256, cut to 16 hex digits: it is compared by people, and nobody tries to forge it. */
export function createSha256Digest(): Digest {
  const hash = createHash('sha256');
  return {
    update: (text) => void hash.update(text),
    hex: () => hash.digest('hex').slice(0, DIGITS),
  };
}

const DIGITS = 16;
