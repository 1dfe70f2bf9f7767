import { describe, expect, it } from 'vitest';
import { internalError } from '../conditions.ts';
import { encodeValues } from '../rhea-internals.ts';
import { nothingFound, refused, succeeded } from './management-message.ts';

const SMALL_INT = 0x54;
const INT = 0x71;
const SYMBOL = 0xa3;

const typeCodeOf = (value: unknown) =>
  encodeValues([value as Parameters<typeof encodeValues>[0][number]])[0];

describe('H2: the answer of a management node', () => {
  it.each([succeeded(), nothingFound(), refused(500, internalError())])(
    'has a status code of type int',
    ({ properties }) => {
      expect([SMALL_INT, INT]).toContain(typeCodeOf(properties['statusCode']));
    },
  );

  it('names its condition by a symbol', () => {
    const { properties } = refused(404, internalError());
    expect(typeCodeOf(properties['errorCondition'])).toBe(SYMBOL);
  });
});
