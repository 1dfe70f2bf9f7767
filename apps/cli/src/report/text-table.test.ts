import { expect, test } from 'vitest';
import { firstRows, textTable, timeText } from './text-table.ts';

test.each([
  [
    [1, 2, 3],
    [[1, 2, 3], ''],
  ],
  [
    [1, 2, 3, 4],
    [[1, 2, 3], '\n… and 1 more; --json lists all of them.'],
  ],
  [[], [[], '']],
])('of %j three rows are shown, and how many more there are', (items, shown) => {
  expect(firstRows(items, 3)).toEqual(shown);
});

test('a time is shown in UTC, and one that no calendar reaches as its number', () => {
  expect(timeText(0)).toBe('1970-01-01T00:00:00.000Z');
  expect(timeText(8_640_000_000_000_001)).toBe('8640000000000001 ms');
});

test('a table shows its head and its rows, without a colour, each value on one line', () => {
  const text = textTable(['id', 'why'], [['a\nb', ['one', 'two\u001B[2J']]]);
  const lines = text.split('\n').map((line) => line.replace(/[│ ]+/g, ' ').trim());
  expect(lines).toContain('id why');
  expect(lines).toContain('a\\nb one');
  expect(lines).toContain('two\\u001b[2J');
  expect(text).not.toContain('\u001B');
});
