import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ROOT } from './guarantees-page.ts';

const PAGE = readFileSync(`${ROOT}/docs/claims.md`, 'utf8');
const [CLAIMS = ''] = PAGE.split('## Where they are better');
const [TEXT = '', SOURCES = ''] = PAGE.split('## Sources');
const ROWS = CLAIMS.split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (?:claim|---) /u.test(line))
  .map((line) => line.split(' | '));

describe('docs/claims.md', () => {
  test('has claims', () => expect(ROWS.length).toBeGreaterThan(10));

  test.each(ROWS)('%s: names a test that exists under that name', (_, shown = '') => {
    const [, file = '', title = ''] =
      /^\[`[^`]+`\]\(\.\.\/([^)]+\.test\.ts)\): “([^”]+)”$/u.exec(shown) ?? [];
    expect(existsSync(`${ROOT}/${file}`), file).toBe(true);
    expect(title).not.toBe('');
    // As it stands there, in one line; what is filled in when it runs is left out on the page.
    expect(readFileSync(`${ROOT}/${file}`, 'utf8')).toContain(title);
  });

  test('leads from each number to a source, and has no source that nothing leads to', () => {
    const used = [...TEXT.matchAll(/\[(\d+(?:, \d+)*)\]/gu)].flatMap(([, numbers = '']) =>
      numbers.split(', '),
    );
    const given = [...SOURCES.matchAll(/^(\d+)\. \[/gmu)].map(([, number = '']) => number);
    expect([...new Set(used)].toSorted()).toEqual(given.toSorted());
  });
});
