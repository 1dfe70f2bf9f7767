// pnpm e2e: the end-to-end tests, on containers where a Docker engine answers and else on processes.
// E2E_BACKEND=containers or processes decides it; then nothing is chosen instead. The images are
// built first, and the version before this one too. The last line says what the tests ran on.
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { AZURITE_CERTIFICATE } from './harness/containers/azurite-certificate.ts';
import { type BackendChoice, decideBackend, ON_PROCESSES } from './run/decide-backend.ts';
import { ImagesMissing, prepareImages } from './run/prepare-images.ts';
import { removeLeftovers } from './run/remove-leftovers.ts';
import { runTests } from './run/run-tests.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const EXIT_CODE_FAILED = 1;
const EXIT_CODE_MISUSED = 2;
const VARIABLES = `
Variables:
  E2E_BACKEND       containers or processes; whichever is to be had when empty
  E2E_RATE          requests a second in the cases under load, 50 unless given
  E2E_SERVICE_BUS   official for Microsoft's image of the emulator
  E2E_AZURITE       official for Microsoft's image
  E2E_PREVIOUS_REF  the commit to upgrade from; the newest release unless given
Exits with 0 when all have passed, 1 when not, 2 for options that are not there.`;

interface Ground {
  readonly choice: BackendChoice & { readonly kind: 'chosen' };
  readonly env: Readonly<Record<string, string>>;
}

/** What the tests run on; an engine that was not asked for and cannot build is as good as none. */
async function prepare(choice: Ground['choice']): Promise<Ground> {
  if (choice.backend === 'processes') return { choice, env: {} };
  try {
    const tags = await prepareImages(ROOT);
    const logs = join(ROOT, '.tandem/e2e-logs');
    return { choice, env: { ...tags, E2E_LOGS: logs, NODE_EXTRA_CA_CERTS: AZURITE_CERTIFICATE } };
  } catch (error) {
    if (choice.isRequired || !(error instanceof ImagesMissing)) throw error;
    process.stdout.write(`${error.message} The tests run on processes instead.\n`);
    return { choice: { ...ON_PROCESSES, description: 'processes (no images)' }, env: {} };
  }
}

/** The test files to run, by parts of their names; none for all. */
function readFilters(): readonly string[] {
  const command = new Command('pnpm e2e')
    .description('Whole regions, tested from outside, with a line for each case.')
    .argument('[files...]', 'only test files whose names contain one of these')
    .addHelpText('after', VARIABLES)
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : EXIT_CODE_MISUSED));
  return command.parse().args;
}

async function main(): Promise<number> {
  const filters = readFilters();
  const decided = await decideBackend(process.env['E2E_BACKEND'] ?? '');
  if (decided.kind === 'refused') {
    process.stderr.write(`${decided.reason}\n`);
    return EXIT_CODE_FAILED;
  }
  // What is under way ends by itself or by the signal to the group; what it leaves is removed here.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
  const { choice, env } = await prepare(decided);
  const run = `run-${process.pid}`;
  const outcome = await runTests({
    root: ROOT,
    env: { ...env, E2E_BACKEND: choice.backend, E2E_RUN: run },
    filters,
  });
  const leftovers = choice.backend === 'containers' ? await removeLeftovers(run) : 0;
  if (leftovers > 0) process.stdout.write(`${leftovers} containers were left and were removed.\n`);
  process.stdout.write(`\n${outcome.passed} passed, ${outcome.failed} failed\n`);
  process.stdout.write(`The end-to-end tests ran on ${choice.description}.\n`);
  return outcome.passed > 0 ? outcome.exitCode : EXIT_CODE_FAILED;
}

process.exitCode = await main();
