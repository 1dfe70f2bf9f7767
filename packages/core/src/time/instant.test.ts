import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readInstantMs } from './instant.ts';

describe('B1: an instant', () => {
  test.each([
    ['2026-11-22T10:00:00Z', '2026-11-22T10:00:00.000Z'],
    ['2026-11-22t10:00:00z', '2026-11-22T10:00:00.000Z'],
    ['2026-11-22T10:00:00+00:00', '2026-11-22T10:00:00.000Z'],
    ['2026-11-22T10:00:00-00:00', '2026-11-22T10:00:00.000Z'],
    ['2026-11-22T10:00:00+05:30', '2026-11-22T04:30:00.000Z'],
    ['2026-11-22T10:00:00-05:30', '2026-11-22T15:30:00.000Z'],
    ['2026-03-01T00:30:00+01:00', '2026-02-28T23:30:00.000Z'],
    ['2026-12-31T23:30:00-23:59', '2027-01-01T23:29:00.000Z'],
    ['2026-11-22T10:00:00.1Z', '2026-11-22T10:00:00.100Z'],
    ['2026-11-22T10:00:00.0129999Z', '2026-11-22T10:00:00.012Z'],
    [`2026-11-22T10:00:00.${'9'.repeat(400)}Z`, '2026-11-22T10:00:00.999Z'],
    ['1969-12-31T23:59:59.9999Z', '1969-12-31T23:59:59.999Z'],
    ['2024-02-29T23:59:59Z', '2024-02-29T23:59:59.000Z'],
    ['2000-02-29T00:00:00Z', '2000-02-29T00:00:00.000Z'],
    ['0000-02-29T00:00:00Z', '0000-02-29T00:00:00.000Z'],
    ['0000-01-01T00:00:00Z', '0000-01-01T00:00:00.000Z'],
    ['0099-06-15T12:00:00Z', '0099-06-15T12:00:00.000Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
  ])('%s is %s', (text, utc) => {
    expect(readInstantMs(text)).toBe(Date.parse(utc));
  });

  test.each([
    ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00.000Z'],
    ['2016-12-31T23:59:60.999Z', '2017-01-01T00:00:00.000Z'],
    ['1990-12-31T15:59:60-08:00', '1991-01-01T00:00:00.000Z'],
    ['2015-07-01T01:59:60+02:00', '2015-07-01T00:00:00.000Z'],
  ])('the leap second %s is the end of its minute, %s', (text, utc) => {
    expect(readInstantMs(text)).toBe(Date.parse(utc));
  });

  test.each([
    ['a day that does not exist', '2026-02-30T00:00:00Z'],
    ['the 29th of February of an ordinary year', '2026-02-29T00:00:00Z'],
    ['that of a century', '1900-02-29T00:00:00Z'],
    ['the 31st of April', '2026-04-31T00:00:00Z'],
    ['day 32', '2026-01-32T00:00:00Z'],
    ['day 0', '2026-01-00T00:00:00Z'],
    ['month 0', '2026-00-10T00:00:00Z'],
    ['month 13', '2026-13-10T00:00:00Z'],
    ['24:00', '2026-11-22T24:00:00Z'],
    ['minute 60', '2026-11-22T10:60:00Z'],
    ['second 61', '2016-12-31T23:59:61Z'],
    ['a leap second in the middle of a month', '2016-12-30T23:59:60Z'],
    ['a leap second that is none in UTC', '2016-12-31T23:59:60+01:00'],
    ['a leap second before the last hour', '2016-12-31T22:59:60Z'],
    ['a leap second before the last minute', '2016-12-31T23:58:60Z'],
    ['an offset of 24 hours', '2026-11-22T10:00:00+24:00'],
    ['an offset of 60 minutes', '2026-11-22T10:00:00+01:60'],
    ['an offset without a colon', '2026-11-22T10:00:00+0100'],
    ['no zone', '2026-11-22T10:00:00'],
    ['no seconds', '2026-11-22T10:00Z'],
    ['no time', '2026-11-22'],
    ['a comma', '2026-11-22T10:00:00,5Z'],
    ['a fraction without digits', '2026-11-22T10:00:00.Z'],
    ['a space for the T', '2026-11-22 10:00:00Z'],
    ['a blank at the end', '2026-11-22T10:00:00Z '],
    ['a line at the end', '2026-11-22T10:00:00Z\n'],
    ['a minus for the zone', '2026-11-22T10:00:00\u221205:00'],
    ['other digits', '２026-11-22T10:00:00Z'],
    ['a year of five digits', '10000-01-01T00:00:00Z'],
    ['a signed year', '+002026-11-22T10:00:00Z'],
    ['an instant before the year 0 in UTC', '0000-01-01T00:00:00+00:01'],
    ['an instant after the year 9999 in UTC', '9999-12-31T23:59:59-00:01'],
    ['nothing', ''],
  ])('%s is refused: %s', (_what, text) => {
    expect(readInstantMs(text)).toBeUndefined();
  });

  test('is read as what it was written as, in any offset', () => {
    const time = fc.integer({ min: -6e13, max: 2e14 });
    const offset = fc.integer({ min: -1_439, max: 1_439 });
    fc.assert(
      fc.property(time, offset, (timeMs, offsetMinutes) => {
        const local = new Date(timeMs + offsetMinutes * 60_000).toISOString().slice(0, -1);
        const size = Math.abs(offsetMinutes);
        const pad = (value: number): string => String(value).padStart(2, '0');
        const zone = `${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
        const text = `${local}${offsetMinutes < 0 ? '-' : '+'}${zone}`;
        expect(readInstantMs(text)).toBe(timeMs);
      }),
    );
  });

  test('exists on exactly the days of the calendar', () => {
    const two = fc.integer({ min: 0, max: 39 }).map((value) => String(value).padStart(2, '0'));
    const year = fc.integer({ min: 0, max: 9_999 }).map((value) => String(value).padStart(4, '0'));
    fc.assert(
      fc.property(year, two, two, (years, months, days) => {
        const text = `${years}-${months}-${days}T00:00:00.000Z`;
        const read = readInstantMs(text);
        // A date that is no date is moved by the engine, or refused: its text is another one.
        const date = new Date(text);
        const isThere = !Number.isNaN(date.getTime()) && date.toISOString() === text;
        expect(read).toBe(isThere ? date.getTime() : undefined);
      }),
      { numRuns: 1_000 },
    );
  });
});
