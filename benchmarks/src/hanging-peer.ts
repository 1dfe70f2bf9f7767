/**
 * `pnpm bench:hang`: how long a write of east is on its way to west while the broker of a third region is frozen
 * (SIGSTOP: it takes connections and answers nothing), against the same while it answers. Whole regions as they
 * are shipped, each a process; both phases alternate, so that a busy machine slows both.
 *
 * Exit code 1 when a write failed, or when one was not in west within a minute.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { BUCKET_COUNT_DEFAULT, bucketOf, type TableStore, TransientError } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { type Cluster, regionNames, startCluster } from '@tandem/local-cluster';
import { createAzureTableStore } from '@tandem/storage';
import { Command } from 'commander';
import { describeRun } from './run/describe-run.ts';
import { positiveUpTo } from './run/flag-values.ts';
import { percentile, round, type Spread, spreadOf } from './stats/spread.ts';

const ROUNDS_MAX = 100;
const SECONDS_MAX = 600;
const RATE_MAX = 200;
const WARM_UP_MS = 15_000;
const LOOK_EVERY_MS = 3;
const ARRIVE_MS_MAX = 60_000;
/** The third region has to be in step again before the next round, or its backlog would be measured. */
const CAUGHT_UP_MS_MAX = 180_000;
const REQUEST_MS_MAX = 30_000;

const args = new Command('pnpm bench:hang')
  .description('Measures what a region that hangs does to the lag between two that do not.')
  .option('--rounds <count>', 'of both phases', positiveUpTo(ROUNDS_MAX), 5)
  .option('--seconds <count>', 'of each phase', positiveUpTo(SECONDS_MAX), 30)
  .option('--rate <count>', 'writes a second', positiveUpTo(RATE_MAX), 20)
  .option('--json', 'nothing on standard output but the last line')
  .parse()
  .opts<{
    readonly rounds: number;
    readonly seconds: number;
    readonly rate: number;
    readonly json?: boolean;
  }>();

interface Phase {
  /** From the acknowledgement in east until the row is in west, ascending. */
  readonly lagsMs: readonly number[];
  /** From the request to the acknowledgement, ascending. */
  readonly ackMs: readonly number[];
  readonly failures: number;
}

async function put(api: string, id: string): Promise<void> {
  const response = await fetch(`${api}/customers/${id}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: `${id}@example.com` }),
    signal: AbortSignal.timeout(REQUEST_MS_MAX),
  });
  await response.body?.cancel();
  if (response.status !== 201) throw new Error(`PUT was answered with ${response.status}`);
}

/** Where a customer is looked for: the table itself, for asking the API costs as much as a write. */
function openTables(cluster: Cluster, region: string): TableStore {
  return createAzureTableStore({ connectionString: cluster.region(region).addresses.tables });
}

async function untilThere(store: TableStore, id: string, waitMsMax: number): Promise<void> {
  const endMs = performance.now() + waitMsMax;
  const bucket = bucketOf(id, BUCKET_COUNT_DEFAULT);
  const look = () =>
    store.get(customerKind.name, bucket, id).catch((error: unknown) => {
      // The write is done; a look that failed is one that saw nothing yet.
      if (error instanceof TransientError) return undefined;
      throw error;
    });
  while ((await look()) === undefined) {
    if (performance.now() > endMs) throw new Error(`${id} did not arrive in ${waitMsMax} ms`);
    await delay(LOOK_EVERY_MS);
  }
}

/** Writes at the rate, whether or not the earlier ones have arrived, and follows each to west. */
async function measure(cluster: Cluster, durationMs: number): Promise<Phase> {
  const { api } = cluster.region('east').addresses;
  const west = openTables(cluster, 'west');
  const [lagsMs, ackMs]: [number[], number[]] = [[], []];
  let failures = 0;
  const follow = async (): Promise<void> => {
    const id = randomUUID();
    const beganMs = performance.now();
    await put(api, id);
    const acknowledgedMs = performance.now();
    await untilThere(west, id, ARRIVE_MS_MAX);
    ackMs.push(acknowledgedMs - beganMs);
    lagsMs.push(performance.now() - acknowledgedMs);
  };
  const following: Promise<void>[] = [];
  for (let n = 0; n < (durationMs / 1_000) * args.rate; n += 1) {
    const one = follow().catch((error: unknown) => {
      failures += 1;
      process.emitWarning(String(error));
    });
    following.push(one);
    await delay(1_000 / args.rate);
  }
  await Promise.all(following);
  const ascending = (values: number[]): number[] => values.toSorted((a, b) => a - b);
  return { lagsMs: ascending(lagsMs), ackMs: ascending(ackMs), failures };
}

/** The same while north's broker stands still, from the moment at which it stops. */
async function measureFrozen(cluster: Cluster, durationMs: number): Promise<Phase> {
  const { broker } = cluster.region('north');
  if (broker.pid === undefined) throw new Error('the broker of north does not run');
  process.kill(broker.pid, 'SIGSTOP');
  try {
    return await measure(cluster, durationMs);
  } finally {
    process.kill(broker.pid, 'SIGCONT');
    const id = randomUUID();
    await put(cluster.region('east').addresses.api, id);
    await untilThere(openTables(cluster, 'north'), id, CAUGHT_UP_MS_MAX);
  }
}

function describe(phases: readonly Phase[]) {
  const all = (pick: (phase: Phase) => readonly number[]): number[] =>
    phases.flatMap(pick).toSorted((a, b) => a - b);
  const [lagsMs, ackMs] = [all((phase) => phase.lagsMs), all((phase) => phase.ackMs)];
  return {
    lagMsP50: round(percentile(lagsMs, 0.5)),
    lagMsP90: round(percentile(lagsMs, 0.9)),
    lagMsP99: round(percentile(lagsMs, 0.99)),
    lagMsMax: round(lagsMs.at(-1) ?? Number.NaN),
    ackMsP50: round(percentile(ackMs, 0.5)),
    ackMsP99: round(percentile(ackMs, 0.99)),
    samples: lagsMs.length,
    failures: phases.reduce((sum, { failures }) => sum + failures, 0),
  };
}

/** The phase that hangs by the healthy one of the same round. */
function ratiosOf(
  healthy: readonly Phase[],
  hanging: readonly Phase[],
  pick: (phase: Phase) => number,
): Spread {
  const baselines = healthy.map(pick);
  return spreadOf(hanging.map((phase, n) => pick(phase) / (baselines[n] ?? Number.NaN)));
}

async function compare() {
  const [healthy, hanging]: [Phase[], Phase[]] = [[], []];
  const cluster = await startCluster({ regions: regionNames(3) });
  try {
    await measure(cluster, WARM_UP_MS);
    for (let nth = 1; nth <= args.rounds; nth += 1) {
      healthy.push(await measure(cluster, args.seconds * 1_000));
      hanging.push(await measureFrozen(cluster, args.seconds * 1_000));
      if (args.json === true) continue;
      const pair = [healthy, hanging].map((phases) => describe(phases.slice(-1)));
      process.stdout.write(`${nth}: ${JSON.stringify(pair)}\n`);
    }
  } finally {
    await cluster.stop();
  }
  return {
    // One stall of a machine that others use decides the 99th percentile of the phase that it falls into,
    // so the rounds are compared one by one. The acknowledgement waits for no peer: it tells such stalls.
    lagRatioP50: ratiosOf(healthy, hanging, ({ lagsMs }) => percentile(lagsMs, 0.5)),
    lagRatioP90: ratiosOf(healthy, hanging, ({ lagsMs }) => percentile(lagsMs, 0.9)),
    lagRatioP99: ratiosOf(healthy, hanging, ({ lagsMs }) => percentile(lagsMs, 0.99)),
    ackRatioP99: ratiosOf(healthy, hanging, ({ ackMs }) => percentile(ackMs, 0.99)),
    healthy: describe(healthy),
    hanging: describe(hanging),
  };
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const run = describeRun();
const compared = await compare();
const result = { ...compared, ...run, seconds: args.seconds, writesPerSecond: args.rate };
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exitCode = compared.healthy.failures + compared.hanging.failures === 0 ? 0 : 1;
