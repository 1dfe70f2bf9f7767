import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { escapeLines, escapeValue, toJsonLine } from './escape-text.ts';

/** What a terminal obeys or a reader of lines stops at, apart from the break that is meant. */
const OBEYED = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069\uFEFF]/u;

describe('B4: a text for a terminal', () => {
  test.each([
    ['a screen that is cleared', '\u001B[2J', '\\u001b[2J'],
    ['a title that is set', '\u001B]0;owned\u0007', '\\u001b]0;owned\\u0007'],
    ['the same by C1', '\u009B2J\u009D0;x\u009C', '\\u009b2J\\u009d0;x\\u009c'],
    ['a direction that is turned', 'a\u202Eb\u2066c', 'a\\u202eb\\u2066c'],
    ['a mark of direction', '\u200F\u061C', '\\u200f\\u061c'],
    ['breaks', 'a\nb\rc\td', 'a\\nb\\rc\\td'],
    [
      'breaks that few know',
      '\u0085\u2028\u2029\u000B\u000C',
      '\\u0085\\u2028\\u2029\\u000b\\u000c',
    ],
    ['delete and null', '\u007F\u0000', '\\u007f\\u0000'],
    ['half a pair', '\uD800x', '\\ud800x'],
    ['a tag that nobody sees', '\u{E0041}', '\\udb40\\udc41'],
    ['a mark at the beginning', '\uFEFFx', '\\ufeffx'],
  ])('shows %s as escapes', (_what, text, shown) => {
    expect(escapeValue(text)).toBe(shown);
  });

  test.each(['Zoë O’Neill', '日本語', '👩‍💻', 'می‌خواهم', 'שלום', '\\n', ''])(
    'leaves %s as it is',
    (text) => {
      expect(escapeValue(text)).toBe(text);
      expect(escapeLines(text)).toBe(text);
    },
  );

  test('keeps the breaks between lines, and those alone', () => {
    expect(escapeLines('a\nb\r\u001Bc\n')).toBe('a\nb\\r\\u001bc\n');
  });

  test('holds nothing that is obeyed, whatever it is made of', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
        expect(escapeValue(text)).not.toMatch(OBEYED);
        expect(escapeLines(text).replaceAll('\n', '')).not.toMatch(OBEYED);
      }),
    );
  });
});

describe('B4: a line of JSON', () => {
  test('escapes what ends a line for any reader, and what a terminal obeys', () => {
    const line = toJsonLine({ name: 'a\u0085b\u2028c\u2029d\u009Be\u202Ef\u007Fg\nh' });
    expect(line).toBe('{"name":"a\\u0085b\\u2028c\\u2029d\\u009be\\u202ef\\u007fg\\nh"}');
  });

  test('is one line for every reader, and reads back as it was', () => {
    const text = fc.string({ unit: 'binary', maxLength: 40 });
    fc.assert(
      fc.property(fc.dictionary(text, text), (value) => {
        const line = toJsonLine(value);
        expect(line).not.toMatch(OBEYED);
        expect(JSON.parse(line)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});
