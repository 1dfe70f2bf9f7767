import { expect, test } from 'vitest';
import { parseIfMatch } from './headers.ts';

test('a condition is none, any or a weak tag', () => {
  expect(parseIfMatch(undefined)).toEqual({ kind: 'none' });
  expect(parseIfMatch('*')).toEqual({ kind: 'any' });
  const several = 'W/"datetime\'2020-10-27T18%3A36%3A29.61Z\'~abc"';
  expect(parseIfMatch(several)).toEqual({ kind: 'tag', tag: several });
  for (const header of ['"strong"', 'W/', 'W/"a"b"', 'x', 'W/"a", W/"b"']) {
    expect(() => parseIfMatch(header)).toThrow(
      expect.objectContaining({ code: 'InvalidInput', status: 400 }),
    );
  }
});
