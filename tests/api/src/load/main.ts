// pnpm api:load: many connections to a region of its own, some of them hostile.
import { Command } from 'commander';
import { EXIT_FAILED, readCommand, showProgress, wholeNumber } from '../run/read-command.ts';
import { startOneRegion } from '../run/start-one-region.ts';
import { runLoad } from './run-load.ts';

interface LoadCommand {
  readonly connections: number;
  readonly seconds: number;
  readonly hostile: number;
  readonly json: boolean;
}

const command = new Command('pnpm api:load')
  .description(
    'Starts a region and loads its customer API: most clients write, read and change customers, the ' +
      'others send hostile requests. A good request may be answered with success, or with 429 or 503 ' +
      'and Retry-After; anything else is an error.',
  )
  .option('--connections <n>', 'clients, with one request each', wholeNumber(1, 5_000), 500)
  .option('--seconds <n>', 'for how long', wholeNumber(1, 86_400), 120)
  .option('--hostile <percent>', 'how many of 100 requests are hostile', wholeNumber(0, 90), 5);
const { connections, seconds, hostile, json } = readCommand<LoadCommand>(command);

const region = await startOneRegion();
try {
  const report = await runLoad({
    region,
    connections,
    seconds,
    hostilePercent: hostile,
    onProgress: (left) => showProgress(`${left} s left`),
  });
  const { findings, ...figures } = report;
  const { good, shed, errors, p50Ms, p99Ms, memory } = figures;
  for (const finding of findings) process.stdout.write(`${finding}\n`);
  process.stdout.write(
    `${good} good requests, ${Math.round(good / seconds)} a second: ${p50Ms} ms at the median, ` +
      `${p99Ms} ms at the 99th percentile; ${shed} told to come back, ${errors} errors; ` +
      `${figures.hostile} hostile.\n`,
  );
  process.stdout.write(
    memory === undefined
      ? 'MEMORY NOT MEASURED: too short a run, or no /proc on this system.\n'
      : `Memory: ${memory.earlyMb} MB early, ${memory.lateMb} MB late, ${memory.highestMb} MB at most.\n`,
  );
  if (json) process.stdout.write(`${JSON.stringify({ connections, seconds, ...figures })}\n`);
  const isFine = errors === 0 && report.crashes === 0 && memory?.isFlat !== false;
  process.exitCode = isFine ? 0 : EXIT_FAILED;
} finally {
  await region.stop();
}
