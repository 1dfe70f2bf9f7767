import { createHash } from 'node:crypto';
import {
  isStamp,
  maxStamp,
  OLD_REGION,
  parseStamp,
  STAMP_COUNTER_MAX,
  type Stamp,
  stampRegion,
} from '../time/stamp.ts';
import { canonicalDateTime } from '../values/field-value.ts';

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

// What clients of a table see of the version of a row, the same in every region whose row is the same: so what a
// client holds of one region is good in the others. Both are derived, and nothing is ever read from them.

const HASH_LENGTH = 11;
const COUNTER_DIGITS = 4;

/**
 * Returns when the stamp was made, as the service writes times: seven digits of a second, of which the counter is
 * the last four, without the zeros at their end. A greater counter of an earlier build counts as the greatest.
 */
export function publicTimestamp(stamp: Stamp): string {
  const { timeMs, counter } = parseStamp(stamp);
  const digits = String(Math.min(counter, STAMP_COUNTER_MAX)).padStart(COUNTER_DIGITS, '0');
  return canonicalDateTime(`${new Date(timeMs).toISOString().slice(0, -1)}${digits}Z`);
}

interface PublicVersion {
  /** Is empty where nothing was ever written. */
  readonly timestamp: string;
  /**
   * Is the public time, as the service writes it. Where several regions have written the row a hash of the vector follows,
   * since a merge can change a row under a time that it had before.
   */
  readonly etag: string;
}

/** Returns time and ETag of a row. */
export function publicVersion(vector: VersionVector): PublicVersion {
  const newest = newestStamp(vector);
  const timestamp = newest === undefined ? '' : publicTimestamp(newest);
  const hash = countWriters(vector) > 1 ? `~${hashOf(vector)}` : '';
  return { timestamp, etag: `W/"datetime'${encodeURIComponent(timestamp)}'${hash}"` };
}

/** Returns the ETag of a row alone: see `publicVersion`. */
export function publicETag(vector: VersionVector): string {
  return publicVersion(vector).etag;
}

/** What a table that was there before had done is the same for everybody. */
function countWriters(vector: VersionVector): number {
  return vector.has(OLD_REGION) ? vector.size - 1 : vector.size;
}

function hashOf(vector: VersionVector): string {
  return createHash('sha256')
    .update(encodeVector(vector))
    .digest('base64url')
    .slice(0, HASH_LENGTH);
}
