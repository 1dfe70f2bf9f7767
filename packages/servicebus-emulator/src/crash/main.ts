/**
 * `pnpm --filter @tandem/servicebus-emulator crash`: kills the emulator amid traffic, many times,
 * and counts what was lost.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runCrashRounds } from './crash-rounds.ts';

const ROUNDS_MAX = 100_000;
const USAGE = `Usage: crash [options]

  --rounds <n>   how often the emulator is killed (default: 200)
  --json         only one line of JSON
  --help         show this text

Ends with 0 when every promise was kept, with 1 when one was broken, with 2 for bad options.
`;

interface Options {
  readonly rounds: number;
  readonly json: boolean;
}

function readOptions(): Options | string {
  try {
    const { values } = parseArgs({
      options: {
        rounds: { type: 'string', default: '200' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) return '';
    const rounds = Number(values.rounds);
    if (Number.isInteger(rounds) && rounds >= 1 && rounds <= ROUNDS_MAX) {
      return { rounds, json: values.json };
    }
    return `--rounds must be a number from 1 to ${ROUNDS_MAX}, got '${values.rounds}'`;
  } catch (error) {
    // parseArgs throws a TypeError that names the flag.
    if (error instanceof TypeError) return error.message;
    throw error;
  }
}

async function run({ rounds, json }: Options): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'emulator-crash.'));
  const result = await runCrashRounds({
    folder,
    rounds,
    onRound(round, counts) {
      if (!json || process.stderr.isTTY) {
        process.stderr.write(`${round} of ${rounds}: ${JSON.stringify(counts)}\n`);
      }
    },
  });
  process.stdout.write(`${JSON.stringify(result)}\n`);
  if (result.problems.length === 0) await rm(folder, { recursive: true });
  else {
    process.stderr.write(`What the emulator kept is in ${folder}\n`);
    process.exitCode = 1;
  }
}

const options = readOptions();
if (options === '') process.stdout.write(USAGE);
else if (typeof options === 'string') {
  process.stderr.write(`${options}\n\n${USAGE}`);
  process.exitCode = 2;
} else await run(options);
