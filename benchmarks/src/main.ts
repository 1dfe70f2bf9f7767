/**
 * `pnpm bench`: what replication costs, as ratios against baselines of the same run. The last line of
 * `--json` holds the figures of the goals; `--record` appends the whole run to history.ndjson.
 *
 * With `--check` the exit code is 1 when a figure misses its goal by more than its interval, or the run is invalid.
 */
import { BUCKET_COUNT_DEFAULT } from '@tandem/core';
import { Command } from 'commander';
import { type LoadDriver, startLoad } from './load/load-driver.ts';
import { compareWithFastify } from './measures/api-vs-fastify.ts';
import { backlogOf, measureBacklog } from './measures/backlog.ts';
import { countBilled } from './measures/billed.ts';
import { type CompareRatesOptions, compareRates } from './measures/compare-rates.ts';
import { measureGrowth } from './measures/growth.ts';
import { compareIdleLatency } from './measures/idle-latency.ts';
import { measureLagInRounds } from './measures/lag.ts';
import { compareLoads } from './measures/replicated-vs-bare.ts';
import { type Rig, type RigOptions, startRegions } from './rig/start-regions.ts';
import { describeRun } from './run/describe-run.ts';
import { check, type JudgedFigure, judge } from './run/figures.ts';
import { positive, readSizes } from './run/flag-values.ts';
import { FIGURES, type Measurements, whyInvalid } from './run/goals.ts';
import { lastValidRun, readHistory, record } from './run/history.ts';
import type { Spread } from './stats/spread.ts';

const WARM_UP_MS = 10_000;
const TRANSACTIONS_AT_ONCE = 8;
/** Over Azurite, which looks at every row of the table for a range; a million are counted without it. */
const SIZES = [10_000, 100_000];

interface Flags {
  readonly json?: boolean;
  readonly record?: boolean;
  readonly check?: boolean;
  readonly profile?: string;
  readonly rounds: number;
  readonly seconds: number;
  readonly customers: number;
  readonly backlog: number;
  readonly sizes: readonly number[];
  readonly buckets: number;
}

const flags = new Command('pnpm bench')
  .description('What replication costs, as ratios against baselines of the same run.')
  .option('--rounds <count>', 'of each comparison', positive, 5)
  .option('--seconds <count>', 'of each measurement', positive, 10)
  .option('--customers <count>', 'that are written to', positive, 2_000)
  .option('--backlog <count>', 'rows that a replicator finds', positive, 100_000)
  .option('--sizes <counts>', 'of the table, as 10000,100000', readSizes, SIZES)
  .option('--buckets <count>', 'of each table', positive, BUCKET_COUNT_DEFAULT)
  .option('--profile <folder>', 'keeps a processor profile of each program there')
  .option('--record', 'appends the run to history.ndjson')
  .option(
    '--check',
    'fails when a goal lies outside the interval of its figure, or the run is invalid',
  )
  .option('--json', 'nothing on standard output but the last line')
  .parse()
  .opts<Flags>();
const BUCKETS = flags.buckets;
const { rounds, customers } = flags;
const durationMs = flags.seconds * 1_000;
const nodeFlags =
  flags.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${flags.profile}`];

const say = (what: string, result: unknown): void => {
  if (flags.json !== true)
    process.stdout.write(`${what} ${JSON.stringify(result, undefined, 2)}\n`);
};

async function bench(): Promise<Measurements> {
  const backlogRounds: Awaited<ReturnType<typeof measureBacklog>>[] = [];
  while (backlogRounds.length < rounds) {
    const measured = await withRig({ hasReplicators: false }, async (rig, load) => {
      await rig.startReplicator('east');
      return measureBacklog({ rig, load, rows: flags.backlog, durationMs });
    });
    backlogRounds.push(measured);
  }
  const backlog = backlogOf(flags.backlog, backlogRounds);
  say('backlog', backlog);
  const loaded = await withRig({}, measureLoaded);
  const apiVsFastify = await compareWithFastify({ rounds, durationMs });
  say('API against a bare Fastify route', apiVsFastify);
  const growth = await measureGrowth({
    sizes: flags.sizes,
    bucketCount: BUCKETS,
    durationMs,
    onSize: (figures) => say('growth', figures),
  });
  return { backlog, ...loaded, apiVsFastify, growth };
}

async function withRig<Result>(
  options: RigOptions,
  measure: (rig: Rig, load: LoadDriver) => Promise<Result>,
): Promise<Result> {
  const settings = { 'Tables.BucketCount': String(BUCKETS) };
  const rig = await startRegions({ nodeFlags, settings, ...options });
  const load = await startLoad(rig, { bucketCount: BUCKETS, nodeFlags });
  try {
    return await measure(rig, load);
  } finally {
    await load.program.stop();
    await rig.stop();
  }
}

async function measureLoaded(
  rig: Rig,
  load: LoadDriver,
): Promise<Omit<Measurements, 'backlog' | 'apiVsFastify' | 'growth'>> {
  // Every row is written and every program has compiled what it needs before anything is timed: what is
  // replicated runs in six processes, and takes half as much after ten seconds as in the first two.
  for (const writers of [64, 256]) {
    for (const kind of ['replicated', 'bare'] as const) {
      await load.run({ kind, writers, durationMs: WARM_UP_MS, customers });
    }
  }
  const compare = { rig, load, rounds, durationMs, customers };
  const at64 = await compareLoads({ ...compare, writers: 64 });
  say('at 64 writers', at64);
  const at256 = await compareLoads({ ...compare, writers: 256 });
  say('at 256 writers', at256);
  const writesPerSecond = at256.replicatedWritesPerSecond.median / 2;
  const lag = await measureLagInRounds(load, { rounds, writesPerSecond, durationMs, customers });
  say('lag', lag);
  const rates = { load, rounds, durationMs, customers };
  const vsFirstForm = await compareRates({
    ...rates,
    subject: 'replicated',
    baseline: 'first-form',
    writers: 64,
  });
  say('against the first form', vsFirstForm);
  const openVsTyped = await compareWarm(load, {
    ...rates,
    subject: 'entry-open',
    baseline: 'entry-typed',
    writers: 64,
  });
  say('an open table against a typed one', openVsTyped);
  const transactionVsBare = await compareWarm(load, {
    ...rates,
    subject: 'entry-transactions',
    baseline: 'bare-batches',
    writers: TRANSACTIONS_AT_ONCE,
  });
  say('transactions of 100 rows against bare ones', transactionVsBare);
  const api = await rig.startApi('east');
  await load.run({ kind: 'http', writers: 16, durationMs, customers, apiUrl: api.url });
  const idleLatency = await compareIdleLatency({ ...compare, apiUrl: api.url });
  await api.program.stop();
  say('latency of one write at a time', idleLatency);
  const counted = { rig, rounds, customers: 500, bucketCount: BUCKETS };
  const billed64 = await countBilled({ ...counted, writers: 64, writes: 5_000 });
  const billed256 = await countBilled({ ...counted, writers: 256, writes: 10_000 });
  const billedIdle = await countBilled({ ...counted, writers: 1, writes: 100 });
  say('billed', { billed64, billed256, billedIdle });
  const compared = { at64, at256, vsFirstForm, openVsTyped, transactionVsBare };
  return { ...compared, lag, idleLatency, billed64, billed256, billedIdle };
}

/** Compares what has run long enough before to be compiled, and to have met its rows. */
async function compareWarm(load: LoadDriver, options: CompareRatesOptions): Promise<Spread> {
  const { subject, baseline, writers } = options;
  for (const kind of [subject, baseline])
    await load.run({ kind, writers, durationMs: WARM_UP_MS, customers: options.customers });
  return compareRates(options);
}

// Whoever is told to stop stops what it has started: the programs end with this process.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const run = describeRun();
const measured = await bench();
const figures = judge(FIGURES, measured, lastValidRun(readHistory(), run));
const invalid = whyInvalid(measured);
const mark = invalid.length === 0 ? {} : { invalid };
if (flags.record === true) {
  const goals = Object.fromEntries(
    Object.entries<JudgedFigure>(figures).map(([name, { value }]) => [name, value]),
  );
  record({ ...run, ...mark, goals, ...measured });
}
if (flags.check === true) check(invalid, figures);
process.stdout.write(`${JSON.stringify({ ...mark, ...figures })}\n`);
