// pnpm api:fuzz: generated requests against a region of its own, answers held against the document.
import { Command } from 'commander';
import { EXIT_FAILED, readCommand, showProgress, wholeNumber } from '../run/read-command.ts';
import { startOneRegion } from '../run/start-one-region.ts';
import { runFuzz } from './run-fuzz.ts';

const REQUESTS_DEFAULT = 2_000;
const REQUESTS_MAX = 10_000_000;
const SEED_MAX = 2_000_000_000;

interface FuzzCommand {
  readonly requests: number;
  readonly seed: number;
  readonly first: number;
  readonly json: boolean;
}

const command = new Command('pnpm api:fuzz')
  .description(
    'Makes valid, boundary, invalid and hostile requests from the OpenAPI document, sends them to a ' +
      'region that it starts, and holds every answer against the document: status, content type, ' +
      'schema, headers. Also counted: errors of the server, the end of a process, memory that grows.',
  )
  .option('--requests <n>', 'how many', wholeNumber(1, REQUESTS_MAX), REQUESTS_DEFAULT)
  .option('--seed <n>', 'the same seed makes the same requests', wholeNumber(0, SEED_MAX), 1)
  .option('--first <n>', 'the number of the first one', wholeNumber(0, REQUESTS_MAX), 0);
const { requests, seed, first, json } = readCommand<FuzzCommand>(command);

const region = await startOneRegion();
try {
  const report = await runFuzz({
    region,
    requests,
    seed,
    first,
    onProgress: (done) => showProgress(`${done} of ${requests} requests`),
  });
  const { memory, findings, statuses, undeclared, serverErrors, crashes } = report;
  const answers = [...statuses].map(([status, count]) => `${status}: ${count}`).sort();
  process.stdout.write(`Seed ${seed}. Answers: ${answers.join(', ')}\n`);
  for (const finding of findings) process.stdout.write(`${finding}\n`);
  process.stdout.write(
    memory === undefined
      ? 'MEMORY NOT MEASURED: too few requests, or no /proc on this system.\n'
      : `Memory: ${memory.earlyMb} MB early, ${memory.lateMb} MB late, ${memory.highestMb} MB at most` +
          `: ${memory.isFlat ? 'flat' : 'IT GROWS'}\n`,
  );
  if (json) {
    const line = { requests: report.requests, undeclared, serverErrors, crashes };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  }
  const isFine = undeclared + serverErrors + crashes === 0 && memory?.isFlat !== false;
  process.exitCode = isFine ? 0 : EXIT_FAILED;
} finally {
  await region.stop();
}
