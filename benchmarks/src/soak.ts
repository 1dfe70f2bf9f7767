/**
 * `pnpm bench:soak`: a region at a steady share of its maximum rate for some minutes. Prints a line a
 * minute, and at the end how lag and memory of the last third compare with those of the first.
 */
import { BUCKET_COUNT_DEFAULT } from '@tandem/core';
import { Command, InvalidArgumentError } from 'commander';
import { type LoadDriver, startLoad } from './load/load-driver.ts';
import { measureLag } from './measures/lag.ts';
import { startRegions } from './rig/start-regions.ts';
import type { RunningProgram } from './rig/start-program.ts';
import { describeRun } from './run/describe-run.ts';
import { round, spreadOf } from './stats/spread.ts';

const MINUTE_MS = 60_000;
const MINUTES_MAX = 24 * 60;
const WRITERS = 64;
const CUSTOMERS = 2_000;

interface Minute {
  readonly minute: number;
  readonly lagMsP50: number;
  readonly lagMsP99: number;
  /** Resident, by program. */
  readonly memoryMib: Readonly<Record<string, number>>;
}

function positive(max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (value > 0 && value <= max) return value;
    throw new InvalidArgumentError(`Give a number above 0, up to ${max}.`);
  };
}

const args = new Command('pnpm bench:soak')
  .description('Writes at a steady rate and watches lag and memory.')
  .option('--minutes <count>', 'how long', positive(MINUTES_MAX), 10)
  .option('--share <fraction>', 'of the rate that is reached at first', positive(1), 0.7)
  .option('--json', 'nothing on standard output but the last line')
  .parse()
  .opts<{ readonly minutes: number; readonly share: number; readonly json?: boolean }>();

async function soak(): Promise<{ writesPerSecond: number; minutes: readonly Minute[] }> {
  const rig = await startRegions();
  const load = await startLoad(rig, { bucketCount: BUCKET_COUNT_DEFAULT });
  try {
    const writesPerSecond = args.share * (await maximumRate(load));
    const minutes: Minute[] = [];
    for (let minute = 1; minute <= Math.ceil(args.minutes); minute += 1) {
      const durationMs = Math.min(1, args.minutes - minute + 1) * MINUTE_MS;
      const paced = { writesPerSecond, durationMs, customers: CUSTOMERS };
      const { lagMsP50, lagMsP99 } = await measureLag(load, paced);
      const memoryMib = memoryOf([...rig.programs, load.program]);
      minutes.push({ minute, lagMsP50, lagMsP99, memoryMib });
      if (args.json !== true) process.stdout.write(`${JSON.stringify(minutes.at(-1))}\n`);
    }
    return { writesPerSecond: round(writesPerSecond), minutes };
  } finally {
    await load.program.stop();
    await rig.stop();
  }
}

/** Writes a second that also reach the other region, after a while to warm up. */
async function maximumRate(load: LoadDriver): Promise<number> {
  const command = { kind: 'replicated', writers: WRITERS, customers: CUSTOMERS } as const;
  await load.run({ ...command, durationMs: MINUTE_MS / 6 });
  const { writes, replicatedMs } = await load.run({ ...command, durationMs: MINUTE_MS / 6 });
  return (writes * 1_000) / replicatedMs;
}

function memoryOf(programs: readonly RunningProgram[]): Record<string, number> {
  return Object.fromEntries(programs.map((one) => [one.name, round(one.memoryMib())]));
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const { writesPerSecond, minutes } = await soak();
const third = Math.max(1, Math.floor(minutes.length / 3));
const [first, last] = [minutes.slice(0, third), minutes.slice(-third)];
const growth = (of: (minute: Minute) => number): number =>
  round(spreadOf(last.map(of)).median / spreadOf(first.map(of)).median);
/** Of what is ours: Azurite keeps its rows in memory, the archive's too, so it must grow. */
const ownMemory = ({ memoryMib }: Minute): number =>
  Object.entries(memoryMib)
    .filter(([name]) => !name.endsWith('tables'))
    .reduce((sum, [, mib]) => sum + mib, 0);
const result = {
  ...describeRun(),
  writesPerSecond,
  minutes: minutes.length,
  lagGrowth: growth(({ lagMsP50 }) => lagMsP50),
  memoryGrowth: growth(ownMemory),
  lagMsP99Max: Math.max(...minutes.map(({ lagMsP99 }) => lagMsP99)),
};
process.stdout.write(`${JSON.stringify(result)}\n`);
