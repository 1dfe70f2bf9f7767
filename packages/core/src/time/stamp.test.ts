import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatStamp,
  isRegionName,
  isStamp,
  parseStamp,
  stampRegion,
  stampTimeMs,
} from './stamp.ts';

const parts = fc.record({
  timeMs: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
  counter: fc.integer({ min: 0, max: 2 ** 16 - 1 }),
  region: fc.stringMatching(/^[a-z][a-z0-9]{0,30}$/),
  writer: fc.stringMatching(/^[a-z0-9]{1,16}$/),
});

describe('a stamp', () => {
  test('reads back as it was written', () => {
    fc.assert(
      fc.property(parts, (reading) => {
        const stamp = formatStamp(reading);
        expect(isStamp(stamp)).toBe(true);
        expect(parseStamp(stamp)).toEqual(reading);
        expect(stampTimeMs(stamp)).toBe(reading.timeMs);
        expect(stampRegion(stamp)).toBe(reading.region);
      }),
    );
  });

  test('is ordered as text in the order of time and counter', () => {
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        fc.pre(a.timeMs !== b.timeMs || a.counter !== b.counter);
        const isBefore = a.timeMs < b.timeMs || (a.timeMs === b.timeMs && a.counter < b.counter);
        expect(formatStamp(a) < formatStamp(b)).toBe(isBefore);
      }),
    );
  });

  test.each(['', 'east', '0199a1b2c3d4-0003-east', '0199A1B2C3D4-0003-east-w', 7, null])(
    '%j is none',
    (value) => expect(isStamp(value)).toBe(false),
  );

  test.each(['East', '1east', 'east-2', 'east us', '', 'old'])('"%s" names no region', (text) =>
    expect(isRegionName(text)).toBe(false),
  );
});
