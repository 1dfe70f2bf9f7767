import { expect, test } from 'vitest';
import { canonicalValue } from './field-value.ts';

test.each([
  ['2026-11-22T07:08:09Z', '2026-11-22T07:08:09Z'],
  ['2026-11-22T07:08:09.0Z', '2026-11-22T07:08:09Z'],
  ['2026-11-22T07:08:09.0000000Z', '2026-11-22T07:08:09Z'],
  ['2026-11-22T07:08:09.1000000Z', '2026-11-22T07:08:09.1Z'],
  ['2026-11-22T07:08:09.0100Z', '2026-11-22T07:08:09.01Z'],
  ['2026-11-22T07:08:00.1234567Z', '2026-11-22T07:08:00.1234567Z'],
  ['2026-11-22T07:08:10.1010Z', '2026-11-22T07:08:10.101Z'],
])('the DateTime %s is kept as %s', (written, kept) => {
  const value = { type: 'DateTime', value: written } as const;
  expect(canonicalValue(value)).toEqual({ type: 'DateTime', value: kept });
  expect(canonicalValue(canonicalValue(value))).toEqual(canonicalValue(value));
});
