/**
 * `pnpm bench:soak`: a region at a steady share of its maximum rate for some minutes. Prints a line for each of
 * the parts of the time, and at the end how lag and memory of the last third compare with the first.
 *
 * Exit code 1 when a write failed, or when the other region fell behind by more than a minute.
 */
import { BUCKET_COUNT_DEFAULT } from '@tandem/core';
import { Command } from 'commander';
import { type LoadDriver, startLoad } from './load/load-driver.ts';
import { measureLag } from './measures/lag.ts';
import { startRegions } from './rig/start-regions.ts';
import { describeRun } from './run/describe-run.ts';
import { positiveUpTo } from './run/flag-values.ts';
import { compareThirds, type Part } from './soak/compare-thirds.ts';
import { costsOf, costsSince } from './soak/program-costs.ts';
import { round } from './stats/spread.ts';

const MINUTE_MS = 60_000;
const MINUTES_MAX = 24 * 60;
/** So many at least, or thirds could not be compared; none is longer than a minute. */
const PARTS_MIN = 6;
const WARM_UP_MS = MINUTE_MS / 6;
const WRITERS = 64;
const CUSTOMERS = 2_000;

const args = new Command('pnpm bench:soak')
  .description('Writes at a steady rate and watches lag and memory.')
  .option('--minutes <count>', 'how long', positiveUpTo(MINUTES_MAX), 10)
  .option('--share <fraction>', 'of the rate that is reached at first', positiveUpTo(1), 0.7)
  .option('--customers <count>', 'that are written to', positiveUpTo(1_000_000), CUSTOMERS)
  .option('--json', 'nothing on standard output but the last line')
  .parse()
  .opts<{
    readonly minutes: number;
    readonly share: number;
    readonly customers: number;
    readonly json?: boolean;
  }>();

async function soak(): Promise<{ writesPerSecond: number; parts: readonly Part[] }> {
  const rig = await startRegions();
  const load = await startLoad(rig, { bucketCount: BUCKET_COUNT_DEFAULT });
  // There it says why a write failed.
  load.program.child.stderr?.pipe(process.stderr);
  const programs = [...rig.programs, load.program];
  try {
    const writesPerSecond = args.share * (await maximumRate(load));
    const count = Math.max(PARTS_MIN, Math.ceil(args.minutes));
    const durationMs = (args.minutes * MINUTE_MS) / count;
    const parts: Part[] = [];
    let before = costsOf(programs);
    while (parts.length < count) {
      const { customers } = args;
      const lag = await measureLag(load, { writesPerSecond, durationMs, customers });
      const now = costsOf(programs);
      const costs = costsSince(before, now, lag.writes);
      const minute = round(((parts.length + 1) * durationMs) / MINUTE_MS);
      parts.push({ minute, ...lag, ...costs });
      before = now;
      if (args.json !== true) process.stdout.write(`${JSON.stringify(parts.at(-1))}\n`);
    }
    return { writesPerSecond: round(writesPerSecond), parts };
  } finally {
    await load.program.stop();
    await rig.stop();
  }
}

/** Writes a second that also reach the other region, after a while to warm up. */
async function maximumRate(load: LoadDriver): Promise<number> {
  const { customers } = args;
  const command = { kind: 'replicated', writers: WRITERS, customers } as const;
  await load.run({ ...command, durationMs: 2 * WARM_UP_MS });
  const { writes, replicatedMs } = await load.run({ ...command, durationMs: WARM_UP_MS });
  return (writes * 1_000) / replicatedMs;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const run = describeRun();
const { writesPerSecond, parts } = await soak();
const failures = parts.reduce((sum, part) => sum + part.failures, 0);
const result = {
  ...run,
  minutes: args.minutes,
  writesPerSecond,
  writes: parts.reduce((sum, part) => sum + part.writes, 0),
  failures,
  ...compareThirds(parts),
};
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exitCode = failures === 0 ? 0 : 1;
