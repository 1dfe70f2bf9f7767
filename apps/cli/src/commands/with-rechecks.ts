import type { Command } from 'commander';
import { duration, wholeNumber } from '../option-values.ts';

/** How long a difference is given to vanish: a write under way looks like one. */
export interface RecheckOptions {
  readonly rechecks: number;
  readonly recheckEvery: number;
}

const RECHECKS_DEFAULT = 5;
const RECHECK_EVERY_MS_DEFAULT = 1_000;

export function withRechecks(command: Command): Command {
  return command
    .option(
      '--rechecks <n>',
      'how often what differs is read again',
      wholeNumber(0, 1_000),
      RECHECKS_DEFAULT,
    )
    .option(
      '--recheck-every <duration>',
      'and how long after',
      duration(1),
      RECHECK_EVERY_MS_DEFAULT,
    );
}
