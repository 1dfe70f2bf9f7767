import type { EntityKind } from './entity-kind.ts';

const encoder = new TextEncoder();

const HASH_START = 0x811c9dc5;
const HASH_PRIME = 0x01000193;
/** Up to here a character is its byte, and encoding it would take longer than all the rest. */
const ASCII_MAX = 0x7f;

/** Returns the partition that an entity lives in. */
export function entityBucketOf(
  { bucketTextOf }: Pick<EntityKind, 'bucketTextOf'>,
  entityId: string,
  bucketCount: number,
): string {
  return bucketOf(bucketTextOf(entityId), bucketCount);
}

/**
 * Returns a bucket: two hex digits, from a stable hash (FNV-1a, 32 bits) of a text, such as an id.
 * Never change this: rows would not be found where they lie.
 */
export function bucketOf(text: string, bucketCount: number): string {
  const hash = hashOf(text);
  // The low bits of FNV-1a mix worst, so the high half is folded in.
  return bucketName(((hash ^ (hash >>> 16)) >>> 0) % bucketCount);
}

function hashOf(text: string): number {
  let hash = HASH_START;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit > ASCII_MAX) return hashOfBytes(encoder.encode(text));
    hash = Math.imul(hash ^ unit, HASH_PRIME);
  }
  return hash;
}

function hashOfBytes(bytes: Uint8Array): number {
  let hash = HASH_START;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, HASH_PRIME);
  return hash;
}

/** Groups are the larger the fewer there are, and each takes 2,000 writes a second: docs/adr/0017. */
export const BUCKET_COUNT_DEFAULT = 4;
/** Rows of the tables of clients are read by ranges of all buckets, and reads count as writes do. */
export const ROWS_BUCKET_COUNT_DEFAULT = 16;
export const BUCKET_COUNT_MAX = 256;

export function bucketNames(bucketCount: number): string[] {
  return Array.from({ length: bucketCount }, (_, index) => bucketName(index));
}

function bucketName(index: number): string {
  return index.toString(16).padStart(2, '0');
}
