import { parseArgs } from 'node:util';

export interface BenchFlags {
  readonly json: boolean;
  readonly rounds: number;
  readonly messages: number;
  /** How many messages are queued when their cost is measured. */
  readonly depths: readonly number[];
}

export type BenchFlagsResult =
  | { readonly kind: 'run'; readonly flags: BenchFlags }
  | { readonly kind: 'help' }
  | { readonly kind: 'invalid'; readonly problem: string };

const DEFAULTS = { rounds: '5', messages: '10000', depths: '1000,100000,1000000' };

export const BENCH_USAGE = `Usage: pnpm bench:emulator [options]

  --json             only one line of JSON, the last one of the output
  --rounds <n>       how often each broker passes the messages (default: ${DEFAULTS.rounds})
  --messages <n>     messages of 1 KiB in a round (default: ${DEFAULTS.messages})
  --depths <a,b>     lengths of the queue at which a message's cost is measured
                     (default: ${DEFAULTS.depths})
  --help             show this text

Ends with 0, also where a goal is not met; with 1 when a broker failed, with 2 for bad options.
`;

const OPTIONS = {
  json: { type: 'boolean', default: false },
  rounds: { type: 'string', default: DEFAULTS.rounds },
  messages: { type: 'string', default: DEFAULTS.messages },
  depths: { type: 'string', default: DEFAULTS.depths },
  help: { type: 'boolean', default: false },
} as const;

const isCount = (text: string): boolean => /^[1-9]\d{0,7}$/.test(text);

export function readBenchFlags(args: readonly string[]): BenchFlagsResult {
  try {
    const { values } = parseArgs({ args: [...args], options: OPTIONS, strict: true });
    if (values.help) return { kind: 'help' };
    const depths = values.depths.split(',');
    const counts = [values.rounds, values.messages, ...depths];
    const wrong = counts.find((text) => !isCount(text));
    if (wrong !== undefined) {
      return { kind: 'invalid', problem: `Expected a number from 1 to 99999999, got '${wrong}'` };
    }
    const { json, rounds, messages } = values;
    const flags = { json, rounds: Number(rounds), messages: Number(messages) };
    return { kind: 'run', flags: { ...flags, depths: depths.map(Number) } };
  } catch (error) {
    // parseArgs throws a TypeError that names the flag.
    if (error instanceof TypeError) return { kind: 'invalid', problem: error.message };
    throw error;
  }
}
