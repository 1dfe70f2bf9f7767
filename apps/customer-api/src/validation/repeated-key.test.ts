import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasRepeatedKey } from '../plugins/json-body.ts';

describe('a field that is named twice', () => {
  it.each([
    '{"a":1,"a":2}',
    '{"a":1,"\\u0061":2}',
    '{"a":{"b":1,"b":2}}',
    '[{"x":[{"y":1,"z":2,"y":3}]}]',
    '{"a":{},"b":[],"a":null}',
    '{"__proto__":1,"__proto__":2}',
    '{"":1,"":2}',
  ])('is found in %s', (text) => {
    expect(hasRepeatedKey(text)).toBe(true);
  });

  it.each([
    '{"a":{"a":1},"b":{"a":2}}',
    '[{"a":1},{"a":1}]',
    '{"a":"a","b":"a,\\"a\\":1"}',
    '{"a":["a","a"],"b":"}"}',
    '"a"',
    '{}',
    '{"\\"a":1,"a":2}',
  ])('is not seen in %s', (text) => {
    expect(hasRepeatedKey(text)).toBe(false);
  });

  it('is never seen in what JSON.stringify writes, however it is spaced', () => {
    fc.assert(
      fc.property(fc.json(), fc.integer({ min: 0, max: 3 }), (text, space) => {
        const spaced = JSON.stringify(JSON.parse(text), undefined, space);
        expect(hasRepeatedKey(spaced)).toBe(false);
      }),
    );
  });

  it('is found in time, however deep or long the text is', () => {
    const deep = '['.repeat(200_000) + ']'.repeat(200_000);
    expect(hasRepeatedKey(deep)).toBe(false);
    const long = JSON.stringify({ a: '\\'.repeat(400_000) });
    expect(hasRepeatedKey(long)).toBe(false);
  });
});
