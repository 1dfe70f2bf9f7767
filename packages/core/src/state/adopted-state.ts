/**
 * A row of a table that was there before, as a state: of one transaction of the pseudo-region `old`, that every region
 * derives alike from the row. It keeps the Timestamp and the ETag that clients hold, a write in any region exceeds
 * it, and who has seen it has nothing to merge when it comes again. See docs/adr/0040.
 */
import { createHash } from 'node:crypto';
import {
  formatStamp,
  OLD_REGION,
  STAMP_POSSIBLE_MS_MAX,
  type Stamp,
  stampRegion,
} from '../time/stamp.ts';
import { type FieldValue, isDateTimeText } from '../values/field-value.ts';
import type { EntityState } from './entity-state.ts';

const FRACTION = /^(.*?)(?:\.(\d{1,7}))?Z$/;
const MS_DIGITS = 3;
const FRACTION_DIGITS = 7;
const WRITER_LENGTH = 16;
const WRITER_LETTERS = 'abcdefghijklmnopqrstuvwxyz234567';

/**
 * Returns the stamp of the write that left a row of an old table as it is: its Timestamp, with the four last of seven
 * digits as the counter. Rows of one transaction have one Timestamp, and no two stamps are the same, so the writer
 * is a hash of the row's id. Undefined for a text that is no time since 1970 that a stamp can have.
 */
export function adoptedStamp(entityId: string, timestamp: string): Stamp | undefined {
  const [, second = '', fraction = ''] = FRACTION.exec(timestamp) ?? [];
  if (!isDateTimeText(timestamp)) return undefined;
  const digits = fraction.padEnd(FRACTION_DIGITS, '0');
  const timeMs = Date.parse(`${second}.${digits.slice(0, MS_DIGITS)}Z`);
  if (!(timeMs >= 0 && timeMs <= STAMP_POSSIBLE_MS_MAX)) return undefined;
  const counter = Number(digits.slice(MS_DIGITS));
  return formatStamp({ timeMs, counter, region: OLD_REGION, writer: writerOf(entityId) });
}

const TAG = /^W\/"datetime'([0-9A-Za-z%:.-]+)'"$/;

/**
 * Returns the Timestamp that the ETag of an old row tells: whatever has it has the ETag too, since every region
 * derives it from the Timestamp. Undefined for an ETag of another form.
 */
export function timestampOfTag(etag: string): string | undefined {
  const [, encoded] = TAG.exec(etag) ?? [];
  if (encoded === undefined || /%(?!3A)/i.test(encoded)) return undefined;
  const timestamp = decodeURIComponent(encoded);
  return `W/"datetime'${encodeURIComponent(timestamp)}'"` === etag ? timestamp : undefined;
}

function writerOf(entityId: string): string {
  const bytes = createHash('sha256').update(entityId).digest().subarray(0, WRITER_LENGTH);
  return [...bytes].map((byte) => WRITER_LETTERS[byte % WRITER_LETTERS.length]).join('');
}

/** Returns the state that every region has of a row of an old table that nobody has written since. */
export function adoptedState(stamp: Stamp, values: ReadonlyMap<string, FieldValue>): EntityState {
  return {
    fields: new Map([...values].map(([name, value]) => [name, { value, stamp }])),
    alive: stamp,
    deleted: undefined,
    base: stamp,
    vector: new Map([[OLD_REGION, stamp]]),
  };
}

/**
 * Returns the stamp of an adopted state that no region has written since, undefined for every other: everything in
 * it is of that one write, so a state that only claims to be adopted is none.
 */
export function adoptionOf({
  vector,
  alive,
  deleted,
  base,
  fields,
  request,
}: EntityState): Stamp | undefined {
  const stamp = vector.size === 1 ? vector.get(OLD_REGION) : undefined;
  if (stamp === undefined || stampRegion(stamp) !== OLD_REGION) return undefined;
  if (alive !== stamp || base !== stamp || deleted !== undefined) return undefined;
  if (request !== undefined) return undefined;
  for (const field of fields.values()) {
    if (field.stamp !== stamp || field.value === null) return undefined;
  }
  return stamp;
}
