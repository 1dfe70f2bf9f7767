import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeContinuation, encodeContinuation } from './headers.ts';

test('a place in a listing is given back as it was, and is never an empty text', () => {
  expect(encodeContinuation('')).toBe('1!0!');
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (key) => {
      expect(decodeContinuation(encodeContinuation(key))).toBe(key);
      expect(encodeContinuation(key)).toMatch(/^1!\d+![\w*-]*$/);
    }),
  );
});

test.each(['', '1!4!', '2!4!YQ--', '1!3!YQ--', '1!4!YR--', '1!8!YQ--YQ--', 'YQ'])(
  'a token that was not given is refused: %s',
  (token) => {
    expect(() => decodeContinuation(token)).toThrow(
      expect.objectContaining({ code: 'InvalidInput' }),
    );
  },
);
