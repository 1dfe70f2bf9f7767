/**
 * What clients of a table see of the version of a row, the same in every region whose row is the same: so what a
 * client holds of one region is good in the others. Both are derived, and nothing is ever read from them.
 */
import { createHash } from 'node:crypto';
import { OLD_REGION, parseStamp, STAMP_COUNTER_MAX, type Stamp } from '../time/stamp.ts';
import { canonicalDateTime } from '../values/canonical-value.ts';
import { encodeVector, newestStamp, type VersionVector } from './version-vector.ts';

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

/**
 * Returns the ETag of a row: its public time, as the service writes it. Where several regions have written the row a
 * hash of the vector follows, since a merge can change a row under a time that it had before.
 */
export function publicETag(vector: VersionVector): string {
  const newest = newestStamp(vector);
  const time = newest === undefined ? '' : encodeURIComponent(publicTimestamp(newest));
  const writers = [...vector.keys()].filter((region) => region !== OLD_REGION);
  return `W/"datetime'${time}'${writers.length > 1 ? `~${hashOf(vector)}` : ''}"`;
}

function hashOf(vector: VersionVector): string {
  return createHash('sha256')
    .update(encodeVector(vector))
    .digest('base64url')
    .slice(0, HASH_LENGTH);
}
