import { isTableName } from '@tandem/core';
import { parseRegions, REGIONS_TEXT, regionNames } from '@tandem/local-cluster';
import { Command, CommanderError, InvalidArgumentError } from 'commander';

export const CONCURRENCY_DEFAULT = 32;
const CONCURRENCY_MAX = 256;
export const COUNT_DEFAULT = 1_000;
const COUNT_MAX = 1_000_000;

export interface DemoOptions {
  /** Names a file of customers; without one they are made up. */
  readonly customers?: string;
  /** Names a table of orders, which are written instead of customers. */
  readonly table?: string;
  readonly count?: number;
  /** Names them, the one that is written to first. */
  readonly regions: readonly string[];
  readonly concurrency: number;
  readonly json: boolean;
  readonly keep: boolean;
  readonly failOver: boolean;
}

export type OptionsReading =
  | { readonly kind: 'run'; readonly options: DemoOptions }
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'invalid'; readonly message: string };

const HELP = `
How the lag is measured: about every 50th customer (more of them in a short run) is asked for in
every other region right after its acknowledgement, again and again, until it is there. The lag is the
time from the acknowledgement to the answer that has it. With --fail-over this is done until the
first region is lost.

With --fail-over all writes go through the traffic manager, which then probes every second
instead of every ten. When half of the customers are acknowledged, the processes of the first
region are killed; when three quarters are, they are started again. Customers without an id get
one here, because a PUT that got no answer can be sent again and a POST cannot.

With --table the writes are transactions of ten orders, of one customer each, by the client of Table Storage
for JavaScript. With --fail-over it is told all regions, and goes to the next one when a request fails. The JSON
line counts orders then, and has transactions: {written, torn}: torn is one of which a part is there.

The JSON line has: written (acknowledged), replicated (in every other region with every field as it was
written), missing and different (so that written = replicated + missing + different), extra (there,
though nobody wrote them), notAcknowledged, lagMsP50 and lagMsP99 (null when nothing was
measured). With --fail-over all regions are compared and there is also failOver: {outageMs,
failedRequests, retriedWrites}.

Exit code: 0 when all customers arrived unchanged, 1 when not, 2 for wrong options or files.
`;

/** Reads the command line; writes nothing. */
export function readOptions(args: readonly string[]): OptionsReading {
  const output: string[] = [];
  const command = createCommand((text) => output.push(text));
  // Some package managers pass the "--" on that ends their own options.
  const own = args[0] === '--' ? args.slice(1) : args;
  try {
    command.parse(own, { from: 'user' });
    return { kind: 'run', options: command.opts<DemoOptions>() };
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    const text = output.join('').trimEnd();
    return error.exitCode === 0 ? { kind: 'help', text } : { kind: 'invalid', message: text };
  }
}

function createCommand(write: (text: string) => void): Command {
  return new Command('pnpm demo')
    .description(
      'Starts regions on this machine, writes customers in one through its REST API, waits until ' +
        'the others have them, and compares every field of every customer.',
    )
    .option('--customers <file>', 'a JSON array of customers (default: made-up people)')
    .option(
      '--table <name>',
      'a table of clients: made-up orders instead of customers, through the Table endpoints',
      tableName,
    )
    .option(
      '--count <n>',
      `how many: the first of the file (default: all), or made-up people or orders (default: ${COUNT_DEFAULT})`,
      wholeNumber(1, COUNT_MAX),
    )
    .option('--regions <count or names>', REGIONS_TEXT, toRegions, regionNames(2))
    .option(
      '--concurrency <n>',
      'writes at the same time',
      wholeNumber(1, CONCURRENCY_MAX),
      CONCURRENCY_DEFAULT,
    )
    .option('--json', 'the result as one line of JSON, the last on stdout', false)
    .option('--keep', 'leave the data folder in place', false)
    .option('--fail-over', 'lose the first region half way, and bring it back', false)
    .helpOption('--help', 'show this text')
    .addHelpText('after', HELP)
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeOut: write, writeErr: write });
}

function toRegions(text: string): readonly string[] {
  const reading = parseRegions(text);
  if (reading.kind === 'regions') return reading.regions;
  throw new InvalidArgumentError(reading.problem);
}

function tableName(text: string): string {
  if (isTableName(text)) return text;
  throw new InvalidArgumentError('It must have 3 to 63 letters and digits, a letter first.');
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}
