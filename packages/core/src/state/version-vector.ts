import { isStamp, maxStamp, type Stamp, stampRegion } from '../time/stamp.ts';

/**
 * Holds for each region the stamp of its newest transaction that a state contains (Parker et al., "Detection of Mutual
 * Inconsistency in Distributed Systems", IEEE TSE 1983, with stamps in place of counts). A region's own
 * transactions on one entity are ordered by the row they were committed to, so one stamp a region
 * says it all. Never empty for a state that exists.
 */
export type VersionVector = ReadonlyMap<string, Stamp>;

export function vectorWith(vector: VersionVector, stamp: Stamp): VersionVector {
  return new Map(vector).set(stampRegion(stamp), stamp);
}

export function hasSeen(vector: VersionVector, stamp: Stamp): boolean {
  const seen = vector.get(stampRegion(stamp));
  return seen !== undefined && seen >= stamp;
}

/** Returns true when `a` contains everything that `b` contains. */
export function covers(a: VersionVector, b: VersionVector): boolean {
  for (const stamp of b.values()) if (!hasSeen(a, stamp)) return false;
  return true;
}

export function mergeVectors(a: VersionVector, b: VersionVector): VersionVector {
  const merged = new Map(a);
  for (const [region, stamp] of b) if (!hasSeen(merged, stamp)) merged.set(region, stamp);
  return merged;
}

/** Returns the newest transaction that the vector contains. */
export function newestStamp(vector: VersionVector): Stamp | undefined {
  return maxStamp(vector.values());
}

/** Returns one text per vector, the same in every region: used as ETag and as version token. */
export function encodeVector(vector: VersionVector): string {
  if (vector.size === 1) for (const stamp of vector.values()) return stamp;
  return [...vector.values()].sort(byRegion).join('.');
}

/** Returns undefined for a text that `encodeVector` cannot have written. */
export function decodeVector(text: string): VersionVector | undefined {
  if (isStamp(text)) return new Map([[stampRegion(text), text]]);
  const stamps = text.split('.');
  if (!stamps.every(isStamp)) return undefined;
  const vector = new Map(stamps.map((stamp) => [stampRegion(stamp), stamp]));
  return encodeVector(vector) === text ? vector : undefined;
}

function byRegion(a: Stamp, b: Stamp): number {
  return stampRegion(a) < stampRegion(b) ? -1 : 1;
}
