import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import { replaySeedCommand } from './commands/replay-seed.ts';
import { runMutantsCommand } from './commands/run-mutants.ts';
import { runSeedsCommand } from './commands/run-seeds.ts';

const SEEDS_DEFAULT = 200;
const WORKERS_MAX = 8;

function toCount(text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count >= 0) return count;
  throw new InvalidArgumentError('Give a whole number, 0 or more.');
}

interface Arguments {
  readonly seeds: number;
  readonly first: number;
  readonly seed?: number;
  readonly only?: string;
  readonly trace?: string;
  readonly commit?: string;
  readonly mutants?: boolean;
  readonly mutant?: string;
  readonly workers: number;
  readonly json?: boolean;
}

const program = new Command('pnpm sim')
  .description(
    'Runs whole regions of the shipping code in virtual time, under every fault we know.',
  )
  .option('--seeds <count>', 'how many seeds to run', toCount, SEEDS_DEFAULT)
  .option('--first <seed>', 'the first of them', toCount, 1)
  .option('--commit <hash>', 'derive the first from a commit, so that each commit has fresh ones')
  .option('--seed <seed>', 'run this one, and shorten its list of faults when it fails', toCount)
  .option('--only <ids>', 'with --seed: only these faults, separated by commas; none when empty')
  .option('--trace <file>', 'with --seed: write there what happened')
  .option('--mutants', 'put known faults into the code, one at a time, and see which are found')
  .option('--mutant <id>', 'only this one; with --seed: in that run')
  .option('--workers <count>', 'processes', toCount, Math.min(WORKERS_MAX, availableParallelism()))
  .option('--json', 'end with one line of JSON, and nothing else on standard output');

const args = program.parse().opts<Arguments>();
process.exitCode = await run(args);

function run({ seed, mutants, mutant, ...rest }: Arguments): Promise<number> {
  const output = { isJson: rest.json === true };
  if (seed !== undefined) {
    const only = rest.only?.split(',').filter((id) => id !== '');
    return replaySeedCommand({ seed, mutant, only, traceFile: rest.trace }, output);
  }
  const workers = Math.max(1, rest.workers);
  if (mutants === true || mutant !== undefined)
    return runMutantsCommand({ mutant, workers }, output);
  return runSeedsCommand({ ...rest, workers }, output);
}
