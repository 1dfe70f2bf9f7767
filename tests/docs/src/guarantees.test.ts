import { globSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ROOT, readTestsByName, withTests } from './guarantees-page.ts';

const PAGE = readFileSync(`${ROOT}/docs/guarantees.md`, 'utf8');
const INVARIANTS = Array.from({ length: 26 }, (_, index) => `I${index + 1}`);
const CASES = [...PAGE.matchAll(/^\| ([A-H]\d+) \|/gm)].map(([, name]) => name ?? '');

describe('docs/guarantees.md', () => {
  test('has a section for every invariant', () => {
    const sections = [...PAGE.matchAll(/^### (I\d+) /gm)].map(([, invariant]) => invariant);
    expect(sections).toEqual(INVARIANTS);
  });

  test('names for each invariant the tests that bear its name: pnpm docs:write', () => {
    expect(PAGE).toBe(withTests(PAGE));
  });

  test('no test bears the name of an invariant or a case that is not on the page', () => {
    expect([...INVARIANTS, ...CASES]).toEqual(
      expect.arrayContaining([...readTestsByName().keys()]),
    );
  });

  test('has each case once', () => {
    expect(new Set(CASES).size).toBe(CASES.length);
  });

  test('names only files that exist', () => {
    const named = [...PAGE.matchAll(/`((?:packages|apps|tests|scripts)\/[^`]+\.ts)`/g)];
    for (const [, file] of named) expect(globSync(file ?? '', { cwd: ROOT }), file).toHaveLength(1);
  });
});
