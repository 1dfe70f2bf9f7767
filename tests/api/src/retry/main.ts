// pnpm api:retry: regions are killed under clients that repeat a creation under one key.
import { PROBING_FAST, startCluster } from '@tandem/local-cluster';
import { Command } from 'commander';
import { EXIT_FAILED, readCommand, showProgress, wholeNumber } from '../run/read-command.ts';
import { runRetries } from './run-retries.ts';

const KILLS_DEFAULT = 20;
const CLIENTS_DEFAULT = 10;
const COUNT_MAX = 10_000;

const command = new Command('pnpm api:retry')
  .description(
    'Kills the region that is written to while clients create a customer each, through the stand-in ' +
      'for Traffic Manager, and repeat the request under one Idempotency-Key until the other region ' +
      'answers; then counts: exactly one customer for each key, the same in both regions. By default ' +
      `${KILLS_DEFAULT} kills under ${CLIENTS_DEFAULT} clients: ${KILLS_DEFAULT * CLIENTS_DEFAULT} times.`,
  )
  .option('--kills <n>', 'how often the region is killed', wholeNumber(1, COUNT_MAX), KILLS_DEFAULT)
  .option('--clients <n>', 'that write at each kill', wholeNumber(1, COUNT_MAX), CLIENTS_DEFAULT);
const { kills, clients, json } = readCommand<{ kills: number; clients: number; json: boolean }>(
  command,
);

const cluster = await startCluster({ probing: PROBING_FAST });
try {
  const { findings, ...counts } = await runRetries(cluster, {
    kills,
    clients,
    onProgress: (done) => showProgress(`${done} of ${kills} kills`),
  });
  for (const finding of findings) process.stdout.write(`${finding}\n`);
  const { times, exactlyOne, tries } = counts;
  process.stdout.write(`${times} times, ${tries} tries: ${exactlyOne} are exactly one customer.\n`);
  if (json) process.stdout.write(`${JSON.stringify(counts)}\n`);
  process.exitCode = findings.length === 0 ? 0 : EXIT_FAILED;
} finally {
  await cluster.stop();
}
