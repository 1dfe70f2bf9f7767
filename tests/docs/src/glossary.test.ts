import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ROOT } from './guarantees-page.ts';

const PAGE = readFileSync(`${ROOT}/docs/glossary.md`, 'utf8');
const ROWS = [...PAGE.matchAll(/^\| ([^|`]+) \| ([^|]+) \| `([^`]+)` \|$/gm)].map(
  ([, word = '', means = '', file = '']) => ({ word, means, file }),
);

/** Returns whether the text has the word: as it is, as a part of a name, or with an ending. */
function has(text: string, word: string): boolean {
  const stem = word.replace(/(?:e|y|ed|ing)$/, '');
  return new RegExp(stem.replaceAll(' ', '[ -]?'), 'i').test(text);
}

describe('docs/glossary.md', () => {
  test('is a table whose every row has a word, a sentence and a file', () => {
    const lines = PAGE.split('\n').filter((line) => /^\| (?!word|---)/.test(line));
    expect(ROWS).toHaveLength(lines.length);
    expect(ROWS.length).toBeGreaterThan(60);
    expect(new Set(ROWS.map(({ word }) => word)).size).toBe(ROWS.length);
  });

  test.each(ROWS)('finds "$word" at home in $file', ({ word, file }) => {
    expect(existsSync(`${ROOT}/${file}`)).toBe(true);
    expect(has(readFileSync(`${ROOT}/${file}`, 'utf8'), word)).toBe(true);
  });

  test('would miss a word that its file no longer has', () => {
    expect(has('a gate lets some in', 'lane')).toBe(false);
    expect(has('function catchUp(): void', 'catching up')).toBe(false);
    expect(has('class BucketLane', 'lane')).toBe(true);
  });
});
