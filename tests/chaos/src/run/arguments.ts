import { randomInt } from 'node:crypto';
import { REGION_NAMES_MAX } from '@tandem/local-cluster';
import { Command, InvalidArgumentError, Option } from 'commander';
import { BREAKAGES, type Breakage } from '../broken/breakage.ts';
import { REGIONS_MIN } from '../cluster/wire-plan.ts';

export interface Arguments {
  readonly minutes: number;
  readonly seed: number;
  readonly regions: number;
  readonly json: boolean;
  readonly folder?: string;
  readonly broken?: Breakage;
}

export const EXIT_CODES = { clean: 0, findings: 1, failed: 2, interrupted: 130 } as const;

const MINUTES_DEFAULT = 2;
const MINUTES_MAX = 240;
const SEED_MAX = 2 ** 31;

/** Exits with 2 when they cannot be read, with 0 for `--help`. */
export function readArguments(argv: readonly string[]): Arguments {
  const command = new Command('pnpm chaos')
    .description(
      'Starts regions as processes, works on them while processes are killed, paused, frozen and cut ' +
        'off, lets them heal, and judges from outside whether anything acknowledged was lost.',
    )
    .option('--minutes <count>', 'how long faults happen', toMinutes, MINUTES_DEFAULT)
    .option('--seed <seed>', 'of the schedule of faults; by default a new one', toSeed)
    .option('--regions <count>', 'how many regions', toRegions, REGIONS_MIN)
    .option('--folder <path>', 'where to keep logs, history and findings, whatever is found')
    .option('--json', 'end with one line of JSON, and nothing else on standard output', false)
    .addOption(
      new Option('--broken <how>', 'break the system on purpose, to see it found').choices(
        BREAKAGES,
      ),
    )
    .addHelpText(
      'after',
      '\nExit codes: 0 nothing was found, 1 something was, 2 it could not be run, 130 interrupted.',
    )
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : EXIT_CODES.failed));
  const given = command.parse([...argv]).opts<Omit<Arguments, 'seed'> & { seed?: number }>();
  return { ...given, seed: given.seed ?? randomInt(SEED_MAX) };
}

function toMinutes(text: string): number {
  const minutes = Number(text);
  if (minutes > 0 && minutes <= MINUTES_MAX) return minutes;
  throw new InvalidArgumentError(`Give a number above 0, at most ${MINUTES_MAX}.`);
}

function toRegions(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= REGIONS_MIN && count <= REGION_NAMES_MAX) return count;
  throw new InvalidArgumentError(`Give a whole number from ${REGIONS_MIN} to ${REGION_NAMES_MAX}.`);
}

function toSeed(text: string): number {
  const seed = Number(text);
  if (Number.isSafeInteger(seed) && seed >= 0 && seed < SEED_MAX) return seed;
  throw new InvalidArgumentError(`Give a whole number from 0, below ${SEED_MAX}.`);
}
