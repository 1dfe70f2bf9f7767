import { expect, test } from 'vitest';
import { entityTagOf, parseIfMatch } from './headers.ts';

test('a tag is made of the Timestamp, and of more where several regions wrote', () => {
  expect(entityTagOf('2020-10-27T18:36:29.6104088Z')).toBe(
    'W/"datetime\'2020-10-27T18%3A36%3A29.6104088Z\'"',
  );
  const several = entityTagOf('2020-10-27T18:36:29.61Z', 'abc');
  expect(several).toBe('W/"datetime\'2020-10-27T18%3A36%3A29.61Z\'~abc"');
  expect(parseIfMatch(several)).toEqual({ kind: 'tag', tag: several });
});

test('a condition is none, any or a weak tag', () => {
  expect(parseIfMatch(undefined)).toEqual({ kind: 'none' });
  expect(parseIfMatch('*')).toEqual({ kind: 'any' });
  for (const header of ['"strong"', 'W/', 'W/"a"b"', 'x', 'W/"a", W/"b"']) {
    expect(() => parseIfMatch(header)).toThrow(
      expect.objectContaining({ code: 'InvalidInput', status: 400 }),
    );
  }
});
