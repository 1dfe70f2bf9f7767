import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from './run-command.ts';

const TESTS_MS_MAX = 45 * 60_000;

export interface TestRun {
  readonly root: string;
  readonly env: Readonly<Record<string, string>>;
  /** Of test files; none for all. */
  readonly filters: readonly string[];
}

export interface TestOutcome {
  readonly passed: number;
  readonly failed: number;
  readonly exitCode: number;
}

/** Runs the end-to-end tests with a line for each case. */
export async function runTests({ root, env, filters }: TestRun): Promise<TestOutcome> {
  const folder = await mkdtemp(join(tmpdir(), 'tandem-e2e-'));
  const report = join(folder, 'report.json');
  const reporters = ['--reporter=verbose', '--reporter=json', `--outputFile.json=${report}`];
  try {
    const { exitCode } = await runCommand(
      'vitest',
      ['run', '--project', 'e2e', ...reporters, ...filters],
      { cwd: root, env, isShown: true, timeoutMs: TESTS_MS_MAX },
    );
    return { ...(await readCounts(report)), exitCode: exitCode ?? 1 };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A run that ended without a report has proven nothing. */
async function readCounts(file: string): Promise<Pick<TestOutcome, 'passed' | 'failed'>> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return '{}';
  });
  const { numPassedTests = 0, numFailedTests = 0 } = JSON.parse(text) as {
    numPassedTests?: number;
    numFailedTests?: number;
  };
  return { passed: numPassedTests, failed: numFailedTests };
}
