// pnpm api:check: what must hold of the OpenAPI document before it is released.
import { copyFile } from 'node:fs/promises';
import { Command } from 'commander';
import { DOCUMENT_FILE, RELEASED_FILE } from '../files.ts';
import { EXIT_FAILED, readCommand } from '../run/read-command.ts';
import type { Check } from './check.ts';
import { checkClientBuilds, checkClientIsCurrent } from './check-client.ts';
import { findBreakingChanges } from './find-breaking-changes.ts';
import { findDrift } from './find-drift.ts';
import { lintWithRedocly, lintWithSpectral } from './lint-document.ts';

const CHECKS: readonly Check[] = [
  { name: 'clean under the rules of Spectral', run: () => lintWithSpectral(DOCUMENT_FILE) },
  { name: 'clean under the rules of Redocly', run: () => lintWithRedocly(DOCUMENT_FILE) },
  { name: 'the document that the routes make', run: () => findDrift() },
  {
    name: 'no breaking change since the last release',
    run: () => findBreakingChanges(RELEASED_FILE, DOCUMENT_FILE),
  },
  { name: 'the client is generated from it', run: () => checkClientIsCurrent() },
  { name: 'the client builds', run: () => checkClientBuilds() },
];

const command = new Command('pnpm api:check')
  .description(
    'Checks the OpenAPI document of the customer API: lint, drift, breaking changes, the client.',
  )
  .option('--release', 'when all is well, keep the document as the released one', false);
const { json, release } = readCommand<{ json: boolean; release: boolean }>(command);

const failed: string[] = [];
for (const { name, run } of CHECKS) {
  const findings = await run();
  process.stdout.write(`${findings.length === 0 ? 'ok    ' : 'FAILED'} ${name}\n`);
  for (const finding of findings) process.stdout.write(`       ${finding}\n`);
  if (findings.length > 0) failed.push(name);
}
if (release && failed.length === 0) {
  await copyFile(DOCUMENT_FILE, RELEASED_FILE);
  process.stdout.write('The document is kept as the released one.\n');
}
if (json) process.stdout.write(`${JSON.stringify({ checks: CHECKS.length, failed })}\n`);
process.exitCode = failed.length === 0 ? 0 : EXIT_FAILED;
