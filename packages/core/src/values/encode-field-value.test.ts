import { describe, expect, test } from 'vitest';
import { decodeFieldValue, isDateTimeText } from './field-value.ts';

describe('B1: an Edm.DateTime', () => {
  test.each(['2026-11-22T07:08:09Z', '2026-11-22T07:08:09.1234567Z', '2024-02-29T23:59:59.9Z'])(
    'holds %s',
    (text) => {
      expect(isDateTimeText(text)).toBe(true);
      expect(decodeFieldValue(['DateTime', text])).toEqual({ type: 'DateTime', value: text });
    },
  );

  test.each([
    ['a day that does not exist', '2026-02-30T00:00:00Z'],
    ['24:00', '2026-11-22T24:00:00Z'],
    ['a leap second', '2016-12-31T23:59:60Z'],
    ['another zone than UTC', '2026-11-22T07:08:09+00:00'],
    ['a lower-case t', '2026-11-22t07:08:09Z'],
    ['eight digits of a second', '2026-11-22T07:08:09.12345678Z'],
    ['no text', 1_764_000_000_000],
  ])('does not hold %s', (_what, value) => {
    expect(isDateTimeText(value)).toBe(false);
    expect(decodeFieldValue(['DateTime', value])).toBeUndefined();
  });
});
