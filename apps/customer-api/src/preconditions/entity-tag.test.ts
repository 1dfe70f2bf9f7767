import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseEntityTags } from './preconditions.ts';

const list = (...tags: [value: string, isWeak: boolean][]) => ({
  kind: 'list',
  tags: tags.map(([value, isWeak]) => ({ value, isWeak })),
});

describe('parseEntityTags', () => {
  it.each([
    ['*', { kind: 'any' }],
    [' * ', { kind: 'any' }],
    ['"a"', list(['a', false])],
    ['""', list(['', false])],
    ['W/"a"', list(['a', true])],
    ['"a","b"', list(['a', false], ['b', false])],
    [' "a" ,\t, W/"b" ,', list(['a', false], ['b', true])],
    ['"a,b"', list(['a,b', false])],
    ['"\x80\xff"', list(['\x80\xff', false])],
  ])('understands %j', (header, expected) => {
    expect(parseEntityTags(header)).toEqual(expected);
  });

  it.each([
    '',
    ' ',
    ',',
    'a',
    '"a',
    'a"',
    '"a" "b"',
    '"a""b"',
    'w/"a"',
    'W/ "a"',
    '"a b"',
    '*,"a"',
    '"a\x7f"',
    '**',
  ])('refuses %j', (header) => {
    expect(parseEntityTags(header)).toBeUndefined();
  });

  // It takes milliseconds; by the square of the length it would be half a minute.
  it('refuses a long line of blanks at once', { timeout: 10_000 }, () => {
    expect(parseEntityTags(`${' '.repeat(150_000)}x`)).toBeUndefined();
  });

  it('refuses a list that is too long', () => {
    expect(parseEntityTags(Array.from({ length: 51 }, () => '"a"').join())).toBeUndefined();
  });

  it('gives back every list of tags that was written by the grammar', () => {
    const tag = fc.record({
      value: fc.stringMatching(/^[\x21\x23-\x7e]{0,20}$/),
      isWeak: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(tag, { minLength: 1, maxLength: 50 }), (tags) => {
        const header = tags
          .map(({ value, isWeak }) => `${isWeak ? 'W/' : ''}"${value}"`)
          .join(', ');
        expect(parseEntityTags(header)).toEqual({ kind: 'list', tags });
      }),
    );
  });

  it('ends for every text', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('"', ',', ' ', 'W', '/', 'a', '*') }),
        (text) => {
          parseEntityTags(text);
        },
      ),
    );
  });
});
