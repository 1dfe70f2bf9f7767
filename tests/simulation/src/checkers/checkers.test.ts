import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const FOLDER = new URL('.', import.meta.url);
const PAGE = readFileSync(new URL('../../../../docs/testing.md', import.meta.url), 'utf8');
const INVARIANTS = Array.from({ length: 26 }, (_, index) => `I${index + 1}`);
/** They stand beside what they check. */
const OF_MIGRATIONS = ['../migration/check-migration.ts', '../migration/plain-table.ts'];
/** What checkers have in common. */
const NO_CHECKERS = ['checker.ts', 'describe-state.ts', 'final-checkers.ts', 'watch.ts'];

/** The rows of the table of checkers: its files, and the invariant that they watch. */
function rowsOfPage(): {
  readonly files: readonly string[];
  readonly invariants: readonly string[];
}[] {
  const [, part = ''] = PAGE.split('| checker in `tests/simulation/src/checkers` |');
  const rows = part.split('\n\n')[0]?.split('\n').slice(2) ?? [];
  return rows.map((row) => {
    const [, names = '', invariant = ''] = row.split('|');
    const files = [...names.matchAll(/`([^`]+)`/g)].map(([, file]) => file ?? '');
    return { files, invariants: invariant.match(/I\d+/g) ?? [] };
  });
}

test('docs/testing.md names every checker, and no other', () => {
  const files = readdirSync(FOLDER).filter(
    (file) => !file.endsWith('.test.ts') && !NO_CHECKERS.includes(file),
  );
  const named = new Set(rowsOfPage().flatMap((row) => row.files));
  expect([...named].toSorted()).toEqual([...files, ...OF_MIGRATIONS].toSorted());
});

test('every invariant has a checker, which says so itself', () => {
  const rows = rowsOfPage();
  const named = new Set(rows.flatMap(({ invariants }) => invariants));
  expect([...named].toSorted()).toEqual(INVARIANTS.toSorted());
  for (const { files, invariants } of rows) {
    const texts = files.map((file) => readFileSync(new URL(file, FOLDER), 'utf8'));
    for (const text of texts) {
      for (const invariant of invariants) expect(text).toMatch(new RegExp(`\\b${invariant}\\b`));
    }
  }
});
