/**
 * `pnpm bench:emulator`: what the emulator costs. Throughput as a ratio to plain rhea that passes
 * the same messages between as many processes, start-up time, memory, and the cost of a message
 * while the queue is short and long.
 */
import { availableParallelism, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { type DepthCost, measureDepth, measureMemory } from './measure-depth.ts';
import { measureThroughput } from './measure-throughput.ts';

const GOALS = { inMemoryRatio: 0.7, durableRatio: 0.5 };

interface BenchFlags {
  readonly json: boolean;
  readonly rounds: number;
  readonly messages: number;
  /** How many messages are queued when their cost is measured. */
  readonly depths: readonly number[];
}

type BenchFlagsResult =
  | { readonly kind: 'run'; readonly flags: BenchFlags }
  | { readonly kind: 'help' }
  | { readonly kind: 'invalid'; readonly problem: string };

const DEFAULTS = { rounds: '5', messages: '10000', depths: '1000,100000,1000000' };

const BENCH_USAGE = `Usage: pnpm bench:emulator [options]

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

function readBenchFlags(args: readonly string[]): BenchFlagsResult {
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

/** Two digits behind the point in every number, however deep. */
function round<T>(value: T): T {
  const text = JSON.stringify(value, (_, field: unknown) =>
    typeof field === 'number' ? Math.round(field * 100) / 100 : field,
  );
  return JSON.parse(text) as T;
}

async function bench({ json, rounds, messages, depths }: BenchFlags): Promise<void> {
  const say = (what: string, figures: unknown): void => {
    if (!json) process.stdout.write(`${what}: ${JSON.stringify(round(figures))}\n`);
    else if (process.stderr.isTTY) process.stderr.write(`${what} done\n`);
  };
  const throughput = await measureThroughput(rounds, messages);
  say('messages per second', throughput);
  const memory = {
    inMemory: await measureMemory('memory'),
    durable: await measureMemory('folder'),
  };
  say('start and memory', memory);
  const onDepth = (kind: string) => (cost: DepthCost) => say(`cost, ${kind}`, cost);
  const depth = {
    inMemory: await measureDepth('memory', depths, onDepth('in memory')),
    durable: await measureDepth('folder', depths, onDepth('durable')),
  };
  const machine = { cpus: availableParallelism(), load: loadavg()[0], node: process.version };
  const result = { goals: GOALS, throughput, memory, depth, machine };
  process.stdout.write(`${JSON.stringify(round(result))}\n`);
}

const result = readBenchFlags(process.argv.slice(2));
if (result.kind === 'help') process.stdout.write(BENCH_USAGE);
else if (result.kind === 'invalid') {
  process.stderr.write(`${result.problem}\n\n${BENCH_USAGE}`);
  process.exitCode = 2;
} else await bench(result.flags);
