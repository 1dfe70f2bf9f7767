const encoder = new TextEncoder();

/**
 * The partition an entity lives in: two hex digits, from a stable hash (FNV-1a, 32 bits) of its id.
 * Never change this: rows would not be found where they lie.
 */
export function bucketOf(entityId: string, bucketCount: number): string {
  let hash = 0x811c9dc5;
  for (const byte of encoder.encode(entityId)) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  // The low bits of FNV-1a mix worst, so the high half is folded in.
  return bucketName(((hash ^ (hash >>> 16)) >>> 0) % bucketCount);
}

/** Groups are the larger the fewer there are, and each takes 2,000 writes a second: docs/adr/0017. */
export const BUCKET_COUNT_DEFAULT = 4;
export const BUCKET_COUNT_MAX = 256;

export function bucketNames(bucketCount: number): string[] {
  return Array.from({ length: bucketCount }, (_, index) => bucketName(index));
}

function bucketName(index: number): string {
  return index.toString(16).padStart(2, '0');
}
