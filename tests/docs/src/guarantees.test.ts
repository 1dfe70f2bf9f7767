import { globSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const ROOT = new URL('../../..', import.meta.url).pathname;
const DOCUMENT = readFileSync(`${ROOT}/docs/guarantees.md`, 'utf8');
const INVARIANTS = Array.from({ length: 14 }, (_, index) => `I${index + 1}`);

/** In a test's or a suite's title: `I2, I5: become equal`. */
const NAMED = /['"`](I\d+(?:, I\d+)*): /g;

const testFiles = globSync('{packages,apps,tests}/*/src/**/*.test.ts', { cwd: ROOT }).filter(
  (file) => !file.startsWith('tests/docs/'),
);

function invariantsIn(file: string): Set<string> {
  const text = readFileSync(`${ROOT}/${file}`, 'utf8');
  return new Set([...text.matchAll(NAMED)].flatMap(([, names]) => names?.split(', ') ?? []));
}

/** For each invariant the test files that its section names. */
const documented = new Map(
  DOCUMENT.split('\n### ')
    .slice(1)
    .map((section): [string, string[]] => {
      const [own = ''] = section.split('\n## ');
      const [, tests = ''] = own.split('*Tests.*');
      return [
        own.split(' ')[0] ?? '',
        [...tests.matchAll(/`([^`]+)`/g)].map(([, file]) => file ?? ''),
      ];
    }),
);

describe('docs/guarantees.md', () => {
  test('has a section for every invariant', () => {
    expect([...documented.keys()]).toEqual(INVARIANTS);
  });

  test.each(INVARIANTS)('%s: every file that it names has a test of that name', (invariant) => {
    for (const file of documented.get(invariant) ?? []) {
      expect([...invariantsIn(file)], file).toContain(invariant);
    }
  });

  test('names every file that has a test of an invariant', () => {
    for (const file of testFiles) {
      for (const invariant of invariantsIn(file)) {
        expect(documented.get(invariant), `${invariant} is tested in`).toContain(file);
      }
    }
  });

  test('names only files that exist', () => {
    const named = [...DOCUMENT.matchAll(/`((?:packages|apps|tests|scripts)\/[^`]+\.ts)`/g)];
    for (const [, file] of named) expect(globSync(file ?? '', { cwd: ROOT }), file).toHaveLength(1);
  });
});
