import { globSync, readFileSync } from 'node:fs';

export const ROOT = new URL('../../..', import.meta.url).pathname;

/** In a test's or a suite's title: `I2, I5: become equal`. */
const NAMED = /['"`](I\d+(?:, I\d+)*): /g;
const SECTION = /(### (I\d+) [\s\S]*?\*Tests\.\*)([\s\S]*?)(?=\n\n)/g;

/** For each invariant, the test files that have a test of its name, in order. */
export function readTestsOfInvariants(): ReadonlyMap<string, readonly string[]> {
  const files = globSync('{packages,apps,tests}/*/src/**/*.test.ts', { cwd: ROOT }).filter(
    (file) => !file.startsWith('tests/docs/'),
  );
  const found = files
    .sort((a, b) => (a < b ? -1 : 1))
    .flatMap((file) => [...invariantsIn(file)].map((invariant) => ({ invariant, file })));
  return new Map(
    [...Map.groupBy(found, ({ invariant }) => invariant)].map(([invariant, own]) => [
      invariant,
      own.map(({ file }) => file),
    ]),
  );
}

/** `page` with the list of tests in every section as the code has it. */
export function withTests(page: string): string {
  const tests = readTestsOfInvariants();
  return page.replaceAll(SECTION, (_, head: string, invariant: string) => {
    const files = tests.get(invariant) ?? [];
    return `${head}${files.length === 0 ? ' none' : files.map((file) => `\n\`${file}\``).join(',')}`;
  });
}

function invariantsIn(file: string): Set<string> {
  const text = readFileSync(`${ROOT}/${file}`, 'utf8');
  return new Set([...text.matchAll(NAMED)].flatMap(([, names]) => names?.split(', ') ?? []));
}
