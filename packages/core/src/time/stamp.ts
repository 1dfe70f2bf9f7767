/**
 * A stamp is a hybrid logical clock reading with the region and the process that made it, written
 * so that comparing the texts compares the readings:
 *
 *     0199a1b2c3d4-0003-east-k3v9x2q7
 *     milliseconds counter region writer
 *
 * Unique: no two processes share a writer id, and one process never makes the same reading twice.
 */
export type Stamp = string & { readonly __brand: 'Stamp' };

export interface StampParts {
  readonly timeMs: number;
  readonly counter: number;
  readonly region: string;
  readonly writer: string;
}

/**
 * The greatest counter that a clock makes: four digits, so that a stamp has a public time of seven. What earlier
 * builds made goes up to ffff.
 */
export const STAMP_COUNTER_MAX = 9_999;
/**
 * The middle of the range, in the year 6429: no clock that is merely wrong says so, each stamp up to here
 * has a day of four digits, and above it nothing could be overwritten for long. See docs/adr/0020.
 */
export const STAMP_POSSIBLE_MS_MAX = 2 ** 47 - 1;

/** Counts the digits of the time, and says where the region begins: both always. */
const TIME_LENGTH = 12;
const REGION_PLACE = 18;

const REGION = /^[a-z][a-z0-9]{0,30}$/;
const WRITER = /^[a-z0-9]{1,16}$/;
const STAMP = /^([0-9a-f]{12})-([0-9a-f]{4})-([a-z][a-z0-9]{0,30})-([a-z0-9]{1,16})$/;

/**
 * Stands in stamps for a table that was there before: what it had done is known by its rows alone. No region is named
 * so, none exchanges changes with it, and it owes nothing to anybody. See docs/adr/0040.
 */
export const OLD_REGION = 'old';

/** Lower-case letters and digits, a letter first, at most 31, but not `old`: it is part of keys and of stamps. */
export function isRegionName(text: string): boolean {
  return REGION.test(text) && text !== OLD_REGION;
}

export function isWriterId(text: string): boolean {
  return WRITER.test(text);
}

export function formatStamp(parts: StampParts): Stamp {
  const time = parts.timeMs.toString(16).padStart(12, '0');
  const counter = parts.counter.toString(16).padStart(4, '0');
  return `${time}-${counter}-${parts.region}-${parts.writer}` as Stamp;
}

export function isStamp(value: unknown): value is Stamp {
  return typeof value === 'string' && STAMP.test(value);
}

/** Says whether a clock, right or wrong, can have made it: any other is refused, or counts as `NIL_STAMP`. */
export function isPossibleStamp(stamp: Stamp): boolean {
  return stampTimeMs(stamp) <= STAMP_POSSIBLE_MS_MAX;
}

/** What an impossible stamp in a stored row counts as: the least of all, of no region and no writer. */
export const NIL_STAMP = '000000000000-0000-none-0' as Stamp;

export function parseStamp(stamp: Stamp): StampParts {
  const end = stamp.indexOf('-', REGION_PLACE);
  return {
    timeMs: stampTimeMs(stamp),
    counter: parseInt(stamp.slice(TIME_LENGTH + 1, REGION_PLACE - 1), 16),
    region: stamp.slice(REGION_PLACE, end),
    writer: stamp.slice(end + 1),
  };
}

/** Returns the milliseconds since the epoch on the hybrid clock, which may run ahead of any wall clock. */
export function stampTimeMs(stamp: Stamp): number {
  return parseInt(stamp.slice(0, TIME_LENGTH), 16);
}

export function stampRegion(stamp: Stamp): string {
  return stamp.slice(REGION_PLACE, stamp.indexOf('-', REGION_PLACE));
}

export function maxStamp(stamps: Iterable<Stamp>): Stamp | undefined {
  let max: Stamp | undefined;
  for (const stamp of stamps) if (max === undefined || stamp > max) max = stamp;
  return max;
}
