// pnpm mutate: puts small faults into a copy of the code, one at a time, and runs the unit tests that
// reach them. What no test notices is listed; below the goal the command fails. It works on a copy of the
// committed code, since the faults are written into the files.
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Stryker } from '@stryker-mutator/core';
import Table from 'cli-table3';
import { Argument, Command } from 'commander';
import { AREA_NAMES, AREAS, type Area, type AreaName } from './areas.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const TESTS_CONFIG = 'vitest.mutation.config.ts';
const TEST_MS_MAX = 60_000;
/** On a busy machine, all tests of an area once. */
const DRY_RUN_MINUTES_MAX = 30;
/** So many of the faults must be noticed. */
const GOAL_PERCENT = 90;
const EXIT_CODES = { reached: 0, missed: 1, misused: 2 } as const;

/** Texts are for people to read, and most tests leave their wording free. */
const EXCLUDED_MUTATIONS = ['StringLiteral'];

type Mutant = Pick<Awaited<ReturnType<Stryker['runMutationTest']>>[number], 'fileName' | 'status'>;

interface Score {
  readonly folder: string;
  readonly found: number;
  readonly missed: number;
}

async function copyOf(tests: readonly string[]): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'tandem-mutation-'));
  execFileSync('git', ['clone', '-q', '--local', ROOT, copy], { stdio: 'inherit' });
  execFileSync('node', ['scripts/pnpm.mjs', 'install', '--frozen-lockfile', '--silent'], {
    cwd: copy,
    stdio: 'inherit',
  });
  await writeFile(
    join(copy, TESTS_CONFIG),
    `export default { test: { isolate: false, testTimeout: ${TEST_MS_MAX}, include: ${JSON.stringify(tests)}, ` +
      `exclude: ['**/node_modules/**'] } };\n`,
  );
  return copy;
}

async function mutate({ mutated, tests }: Area): Promise<readonly Mutant[]> {
  const copy = await copyOf(tests);
  const before = process.cwd();
  try {
    process.chdir(copy);
    const stryker = new Stryker({
      mutate: [...mutated, '!**/*.test.ts', '!**/index.ts'],
      mutator: { excludedMutations: EXCLUDED_MUTATIONS },
      testRunner: 'vitest',
      plugins: [fileURLToPath(import.meta.resolve('@stryker-mutator/vitest-runner'))],
      vitest: { configFile: TESTS_CONFIG, related: false },
      coverageAnalysis: 'perTest',
      concurrency: Math.max(1, availableParallelism() - 1),
      inPlace: true,
      reporters: ['clear-text', 'progress-append-only'],
      clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
      ignoreStatic: true,
      // A test that hangs counts as a find: one that is slow beside other work is none.
      timeoutMS: TEST_MS_MAX,
      dryRunTimeoutMinutes: DRY_RUN_MINUTES_MAX,
    });
    const mutants = await stryker.runMutationTest();
    return mutants.map(({ fileName, status }) => ({ fileName: relative(copy, fileName), status }));
  } finally {
    process.chdir(before);
    await rm(copy, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Returns the score of each folder. A fault that makes a test hang is noticed too. */
function scoresOf(mutants: readonly Mutant[]): readonly Score[] {
  const judged = mutants.filter(({ status }) =>
    ['Killed', 'Timeout', 'Survived', 'NoCoverage'].includes(status),
  );
  const isMissed = ({ status }: Mutant): boolean =>
    status === 'Survived' || status === 'NoCoverage';
  return [...Map.groupBy(judged, ({ fileName }) => dirname(fileName))].map(([folder, own]) => {
    const missed = own.filter(isMissed).length;
    return { folder, found: own.length - missed, missed };
  });
}

const percentOf = ({ found, missed }: Omit<Score, 'folder'>): number =>
  found + missed === 0 ? 100 : Math.floor((100 * found) / (found + missed));

async function main(): Promise<number> {
  const command = new Command('pnpm mutate')
    .description(
      'Puts small faults into code that runs only on a bad day, and lists what no test notices.',
    )
    .addArgument(new Argument('<area>', 'what to put them into').choices(AREA_NAMES))
    .argument('[files...]', 'only these of its files, as paths from the root')
    .option(
      '--tests <glob>',
      'only these tests, again for more: they find no more than all of the area do',
      (glob: string, before: readonly string[]) => [...before, glob],
      [],
    )
    .option('--json', 'end with one line of JSON', false)
    .addHelpText(
      'after',
      `\nExits with 0 when ${GOAL_PERCENT} % or more are noticed, with 1 when not.`,
    )
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : EXIT_CODES.misused));
  command.parse();
  const [name, files] = command.processedArgs as [AreaName, readonly string[]];
  const options = command.opts<{ json: boolean; tests: readonly string[] }>();
  const area: Area = AREAS[name];
  const mutants = await mutate({
    mutated: files.length > 0 ? files : area.mutated,
    tests: options.tests.length > 0 ? options.tests : area.tests,
  });
  const scores = scoresOf(mutants);
  const total = {
    found: scores.reduce((sum, { found }) => sum + found, 0),
    missed: scores.reduce((sum, { missed }) => sum + missed, 0),
  };
  const table = new Table({
    head: ['folder', 'found', 'missed', '%'],
    style: { head: [], border: [] },
  });
  for (const score of scores)
    table.push([score.folder, score.found, score.missed, percentOf(score)]);
  process.stdout.write(`${table.toString()}\n`);
  const percent = percentOf(total);
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ area: name, ...total, percent, scores })}\n`);
  }
  return percent >= GOAL_PERCENT ? EXIT_CODES.reached : EXIT_CODES.missed;
}

process.exitCode = await main();
