/**
 * A point in time as text, by RFC 3339: https://www.rfc-editor.org/rfc/rfc3339#section-5.6. `Date.parse`
 * is not asked: it takes the 30th of February for the 2nd of March, and 24:00 for the next day.
 */

const INSTANT =
  /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/;

const MS_PER_S = 1_000;
const MS_PER_MINUTE = 60_000;
const MINUTES_PER_HOUR = 60;
const HOUR_MAX = 23;
const MINUTE_MAX = 59;
const SECOND_MAX = 59;
const LEAP_SECOND = 60;
const MS_DIGITS = 3;
/** Beyond these years, in UTC, there is no text for an instant. */
const INSTANT_MS_MIN = Date.parse('0000-01-01T00:00:00.000Z');
const INSTANT_MS_MAX = Date.parse('9999-12-31T23:59:59.999Z');

/**
 * Reads an RFC 3339 date-time, with any offset, either case of T and Z, and any number of digits of a
 * second, in whole milliseconds since the epoch; what is below a millisecond is cut off. Undefined for
 * every other text, and for a day or an hour that does not exist.
 *
 * A leap second (`:60`) is taken at the end of a month in UTC only, and read as the end of its minute: there
 * is no number for it, and so no text is read as earlier than one that comes before it.
 */
export function readInstantMs(text: string): number | undefined {
  const parts = INSTANT.exec(text);
  if (parts === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts
    .slice(1, 7)
    .map(Number);
  const [fraction = '', sign] = parts.slice(7, 9);
  const [offsetHour = 0, offsetMinute = 0] = parts.slice(9, 11).map((text) => Number(text ?? 0));
  if (hour > HOUR_MAX || minute > MINUTE_MAX || second > LEAP_SECOND) return undefined;
  if (offsetHour > HOUR_MAX || offsetMinute > MINUTE_MAX) return undefined;
  const dayMs = dayStartMs(year, month, day);
  if (dayMs === undefined) return undefined;
  const offsetMinutes = offsetHour * MINUTES_PER_HOUR + offsetMinute;
  const minutes =
    hour * MINUTES_PER_HOUR + minute - (sign === '-' ? -offsetMinutes : offsetMinutes);
  const minuteMs = dayMs + minutes * MS_PER_MINUTE;
  if (second > SECOND_MAX && !isLastMinuteOfMonth(minuteMs)) return undefined;
  const withinMinuteMs =
    second > SECOND_MAX
      ? MS_PER_MINUTE
      : second * MS_PER_S + Number(fraction.slice(0, MS_DIGITS).padEnd(MS_DIGITS, '0'));
  const instantMs = minuteMs + withinMinuteMs;
  return instantMs < INSTANT_MS_MIN || instantMs > INSTANT_MS_MAX ? undefined : instantMs;
}

/** Returns undefined for a day that does not exist. */
function dayStartMs(year: number, month: number, day: number): number | undefined {
  const date = new Date(0);
  // Not `Date.UTC`, which takes the years 0 to 99 for those of the 20th century.
  date.setUTCFullYear(year, month - 1, day);
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? date.getTime() : undefined;
}

function isLastMinuteOfMonth(minuteMs: number): boolean {
  const next = new Date(minuteMs + MS_PER_MINUTE);
  return next.getUTCDate() === 1 && next.getUTCHours() === 0 && next.getUTCMinutes() === 0;
}
