import { globSync, readFileSync } from 'node:fs';

export const ROOT = new URL('../../..', import.meta.url).pathname;

/** In a test's or a suite's title: `I2, I5: become equal`, or `A3: a claim of tomorrow fades`. */
const NAMED = /['"`]([A-I]\d+(?:, [A-I]\d+)*): /g;
const SECTION = /(### (I\d+) [\s\S]*?\*Tests\.\*)([\s\S]*?)(?=\n\n)/g;
/** A row of the table of cases: its name, what is promised, its tests. */
const ROW = /^(\| ([A-H]\d+) \| .* \|) ([^|]*) \|$/gm;

/** Returns for each invariant and each case the test files that have a test of its name, in order. */
export function readTestsByName(): ReadonlyMap<string, readonly string[]> {
  const files = globSync('{packages,apps,tests}/*/src/**/*.test.ts', { cwd: ROOT }).filter(
    // It names what it looks for.
    (file) => file !== 'tests/docs/src/guarantees.test.ts',
  );
  const found = files
    .sort((a, b) => (a < b ? -1 : 1))
    .flatMap((file) => [...namesIn(file)].map((name) => ({ name, file })));
  return new Map(
    [...Map.groupBy(found, ({ name }) => name)].map(([name, own]) => [
      name,
      own.map(({ file }) => file),
    ]),
  );
}

/** Returns `page` with the tests in every section and in every row of the cases as the code has them. */
export function withTests(page: string): string {
  const tests = readTestsByName();
  const filesOf = (name: string): readonly string[] =>
    (tests.get(name) ?? []).map((file) => `\`${file}\``);
  return page
    .replaceAll(SECTION, (_, head: string, invariant: string) => {
      const files = filesOf(invariant);
      return `${head}${files.length === 0 ? ' none' : files.map((file) => `\n${file}`).join(',')}`;
    })
    .replaceAll(ROW, (_, head: string, name: string) => {
      const files = filesOf(name);
      return `${head} ${files.length === 0 ? 'none' : files.join(', ')} |`;
    });
}

function namesIn(file: string): Set<string> {
  const text = readFileSync(`${ROOT}/${file}`, 'utf8');
  return new Set([...text.matchAll(NAMED)].flatMap(([, names]) => names?.split(', ') ?? []));
}
