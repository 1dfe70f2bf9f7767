import { type Command, InvalidArgumentError } from 'commander';

export const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/** Reads the command line of a program of this package; ends the process where it is wrong. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- commander's own signature
export function readCommand<T extends object>(command: Command): T {
  command
    .option('--json', 'the result as one line of JSON, the last on stdout', false)
    .helpOption('--help', 'show this text')
    .addHelpText('after', '\nExit code: 0 when all is well, 1 when not, 2 for wrong options.')
    .allowExcessArguments(false)
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : EXIT_USAGE));
  // Some package managers pass the "--" on that ends their own options.
  const [first, ...rest] = process.argv.slice(2);
  const own = first === undefined ? [] : [first, ...rest];
  command.parse(first === '--' ? rest : own, { from: 'user' });
  return command.opts<T>();
}

export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

/** Rewrites one line on stderr, where somebody watches it. */
export function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${text}   `);
}
