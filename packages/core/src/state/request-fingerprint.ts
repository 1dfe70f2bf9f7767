/**
 * The fingerprint of a request that its client may repeat: everything of it that makes it that request and no other, as one
 * hash. It goes with the state that the request wrote, so that a repetition is known in every region. See docs/adr/0041.
 */
import { createHash } from 'node:crypto';

/** Is 96 bits: two requests of one row never share them. */
const LENGTH = 16;
const FORM = new RegExp(`^[\\w-]{${LENGTH}}$`);

/** Returns the fingerprint of a request that consists of these parts, in this order. */
export function fingerprintOf(parts: readonly string[]): string {
  const hash = createHash('sha256');
  // Each with its length, so that no two lists give the same text.
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('base64url').slice(0, LENGTH);
}

/** Whether a text is written as fingerprints are. */
export function isFingerprint(text: unknown): text is string {
  return typeof text === 'string' && FORM.test(text);
}
