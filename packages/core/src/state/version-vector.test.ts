import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arbitraryEntityState } from '../testing/arbitrary-entity-state.ts';
import { covers, decodeVector, encodeVector, mergeVectors } from './version-vector.ts';

const vector = arbitraryEntityState.map((state) => state.vector);

describe('a version vector', () => {
  test('reads back as it was written', () => {
    fc.assert(
      fc.property(vector, (one) => {
        expect(decodeVector(encodeVector(one))).toEqual(one);
      }),
    );
  });

  test('has one text, whatever the order in which it was built', () => {
    fc.assert(
      fc.property(vector, (one) => {
        expect(encodeVector(new Map([...one].toReversed()))).toBe(encodeVector(one));
      }),
    );
  });

  test('merging with what it covers changes nothing', () => {
    fc.assert(
      fc.property(vector, vector, (a, b) => {
        expect(encodeVector(mergeVectors(a, b)) === encodeVector(a)).toBe(covers(a, b));
      }),
    );
  });

  test.each(['', '.', 'east', '0199a1b2c3d4-0003-east-w.', '0199a1b2c3d4-0003-east-w,x'])(
    '"%s" is none',
    (text) => expect(decodeVector(text)).toBeUndefined(),
  );

  test('a text that names a region twice is none', () => {
    const twice = '0199a1b2c3d4-0003-east-w.0199a1b2c3d5-0003-east-w';
    expect(decodeVector(twice)).toBeUndefined();
  });
});
