/**
 * `pnpm bench:emulator`: what the emulator costs. Throughput as a ratio to plain rhea that passes
 * the same messages between as many processes, start-up time, memory, and the cost of a message
 * while the queue is short and long.
 */
import { availableParallelism, loadavg } from 'node:os';
import { BENCH_USAGE, type BenchFlags, readBenchFlags } from './flags.ts';
import { type DepthCost, measureDepth } from './measure-depth.ts';
import { measureMemory } from './measure-memory.ts';
import { measureThroughput } from './measure-throughput.ts';

const GOALS = { inMemoryRatio: 0.7, durableRatio: 0.5 };

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
