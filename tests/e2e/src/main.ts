// pnpm e2e: the end-to-end tests, on containers where a Docker engine answers and else on processes.
// E2E_BACKEND=containers or processes decides it; then nothing is chosen instead. The images are
// built first, and the version before this one too. The last line says what the tests ran on.
import { join, resolve } from 'node:path';
import { AZURITE_CERTIFICATE } from './harness/containers/azurite-certificate.ts';
import { decideBackend } from './run/decide-backend.ts';
import { prepareImages } from './run/prepare-images.ts';
import { removeLeftovers } from './run/remove-leftovers.ts';
import { runTests } from './run/run-tests.ts';

const ROOT = resolve(import.meta.dirname, '../../..');

async function main(): Promise<number> {
  const choice = await decideBackend(process.env['E2E_BACKEND'] ?? '');
  if (choice.kind === 'refused') {
    process.stderr.write(`${choice.reason}\n`);
    return 1;
  }
  const run = `run-${process.pid}`;
  const env: Record<string, string> = { E2E_BACKEND: choice.backend, E2E_RUN: run };
  if (choice.backend === 'containers') {
    Object.assign(env, await prepareImages(ROOT), {
      E2E_LOGS: join(ROOT, '.tandem/e2e-logs'),
      NODE_EXTRA_CA_CERTS: AZURITE_CERTIFICATE,
    });
  }
  const outcome = await runTests({ root: ROOT, env, filters: process.argv.slice(2) });
  const leftovers = choice.backend === 'containers' ? await removeLeftovers(run) : 0;
  if (leftovers > 0) process.stdout.write(`${leftovers} containers were left and were removed.\n`);
  process.stdout.write(`\n${outcome.passed} passed, ${outcome.failed} failed\n`);
  process.stdout.write(`The end-to-end tests ran on ${choice.description}.\n`);
  return outcome.exitCode;
}

process.exitCode = await main();
