import { describe, expect, test } from 'vitest';
import { duration, pointInTime, wholeNumber } from './option-values.ts';

describe('B1: a point in time', () => {
  test.each([
    ['2026-11-22', '2026-11-22T00:00:00.000Z'],
    ['2026-11-22T10:00Z', '2026-11-22T10:00:00.000Z'],
    ['2026-11-22t10:00+01:00', '2026-11-22T09:00:00.000Z'],
    ['2026-11-22T10:00:00.1234567-01:00', '2026-11-22T11:00:00.123Z'],
    ['1795341600000', '2026-11-22T10:00:00.000Z'],
  ])('%s is %s', (text, utc) => {
    expect(new Date(pointInTime(text)).toISOString()).toBe(utc);
  });

  test.each([
    '2026-02-30',
    '2026-02-30T00:00:00Z',
    '2026-02-30T00:00Z',
    '2026-11-22T24:00:00Z',
    '2026-11-22T24:00Z',
    '2026-11-22T10:00:00',
    '22.11.2026',
    'yesterday',
    '17953416000',
    '-1795341600000',
    '',
  ])('%s is refused', (text) => {
    expect(() => pointInTime(text)).toThrow('It must be a time that there is');
  });
});

describe('a duration', () => {
  test.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
  ])('%s is %d ms', (text, valueMs) => {
    expect(duration(1)(text)).toBe(valueMs);
  });

  test('is at least what it must be', () => {
    expect(duration(500)('500ms')).toBe(500);
    expect(() => duration(501)('500ms')).toThrow('at least 501 ms');
  });

  test.each(['', '5', '5 s', '-5s', '1.5s', '5d', '30s1', 's', '12345678901s'])(
    '"%s" is none',
    (text) => {
      expect(() => duration(0)(text)).toThrow('It must be a duration');
    },
  );
});

describe('a whole number', () => {
  test.each(['1', '10'])('%s is from 1 to 10', (text) => {
    expect(wholeNumber(1, 10)(text)).toBe(Number(text));
  });

  test.each(['0', '11', '', '1.5', '-1', '1e1', ' 1', '0x1'])('"%s" is not', (text) => {
    expect(() => wholeNumber(1, 10)(text)).toThrow('a whole number from 1 to 10');
  });
});
