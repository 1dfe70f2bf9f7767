import { globSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readTestsOfInvariants, ROOT, withTests } from './guarantees-page.ts';

const PAGE = readFileSync(`${ROOT}/docs/guarantees.md`, 'utf8');
const INVARIANTS = Array.from({ length: 14 }, (_, index) => `I${index + 1}`);

describe('docs/guarantees.md', () => {
  test('has a section for every invariant', () => {
    const sections = [...PAGE.matchAll(/^### (I\d+) /gm)].map(([, invariant]) => invariant);
    expect(sections).toEqual(INVARIANTS);
  });

  test('names for each invariant the tests that bear its name: pnpm docs:write', () => {
    expect(PAGE).toBe(withTests(PAGE));
  });

  test('no test bears the name of an invariant that does not exist', () => {
    expect(INVARIANTS).toEqual(expect.arrayContaining([...readTestsOfInvariants().keys()]));
  });

  test('names only files that exist', () => {
    const named = [...PAGE.matchAll(/`((?:packages|apps|tests|scripts)\/[^`]+\.ts)`/g)];
    for (const [, file] of named) expect(globSync(file ?? '', { cwd: ROOT }), file).toHaveLength(1);
  });
});
