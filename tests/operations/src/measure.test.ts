// What `tandem measure` says of the regions of `npm start`, beside what the benchmark's own writers measure of the same regions, in
// turn with it: both are of this machine in these minutes, so no figure is held against a number that somebody wrote down.
import { alternate, type Pair } from '@tandem/benchmarks/alternate';
import { countBilled } from '@tandem/benchmarks/billed';
import { type LoadDriver, startLoad } from '@tandem/benchmarks/load-driver';
import { type Spread, spreadOf, spreadOfPercentile } from '@tandem/benchmarks/spread';
import { type Cluster, startCluster } from '@tandem/local-cluster';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runTandem, type TandemRun } from './harness/run-tandem.ts';

const ROUNDS = 3;
const WRITERS = [1, 16, 64] as const;
/** A fifth of it is for each region with one write at a time, and for each number of writers. */
const MEASURED_S = 10;
/** On a machine that is so busy that no fifth of it shows enough. */
const MEASURED_S_MAX = 80;
/** With this it ends where a figure is missing. */
const FINDING = 3;
const PART_MS = 2_000;
/** As many as the writers of `tandem measure` come back to. */
const ROWS = 1_024;
/** Few enough that each is everywhere before the next, as with one write at a time: a share of what one writer can. */
const PACED_SHARE = 0.25;
const PACED_PER_SECOND_MAX = 20;
const BUCKETS = 4;
/** By how much the nearer ends of two intervals may differ: docs/performance.md says what did. */
const WIDER = 3;

type Figure =
  | 'lag'
  | `acknowledged, ${'one at a time' | `${(typeof WRITERS)[number]} writers`}`
  | `writes a second, ${(typeof WRITERS)[number]} writers`;
/** In milliseconds and writes a second. */
type Figures = Readonly<Record<Figure, number>>;

let cluster: Cluster;
let rig: Parameters<typeof startLoad>[0];
let load: LoadDriver;

beforeAll(async () => {
  cluster = await startCluster();
  const [east, west] = ['east', 'west'].map((name) => cluster.region(name).addresses);
  rig = { regions: { east: east!, west: west! } };
  load = await startLoad(rig, { bucketCount: BUCKETS });
});

afterAll(async () => {
  await load?.program.stop();
  await cluster?.stop();
});

interface Report {
  readonly writes: number;
  readonly alone: readonly { readonly region: string; readonly ackMs: { readonly p50: number } }[];
  readonly directions: readonly {
    readonly from: string;
    readonly lagMs: { readonly p50: number };
  }[];
  readonly throughput: readonly {
    readonly writers: number;
    readonly writesPerSecond: number;
    readonly ackMs: { readonly p50: number };
  }[];
  readonly billed: { readonly total: number; readonly counted: { readonly pointReads: number } };
}

/** Each round is a process of its own, as an operator's is. */
async function byCommand(reports: Report[]): Promise<Figures> {
  const measure = (seconds: number): Promise<TandemRun> =>
    runTandem(cluster, 'measure', '--apply', '--for', `${seconds}s`);
  let run = await measure(MEASURED_S);
  for (
    let seconds = 2 * MEASURED_S;
    run.code === FINDING && seconds <= MEASURED_S_MAX;
    seconds *= 2
  )
    run = await measure(seconds);
  expect(run.code, run.output).toBe(0);
  const report = run.json as unknown as Report;
  reports.push(report);
  return {
    lag: report.directions.find(({ from }) => from === 'east')!.lagMs.p50,
    'acknowledged, one at a time': report.alone.find(({ region }) => region === 'east')!.ackMs.p50,
    ...byWriters((count) => {
      const { writesPerSecond, ackMs } = report.throughput.find(
        ({ writers }) => writers === count,
      )!;
      return { writesPerSecond, ackMs: ackMs.p50 };
    }),
  };
}

async function byBenchmark(): Promise<Figures> {
  const common = { durationMs: PART_MS, customers: ROWS };
  const measured = new Map<number, { readonly writesPerSecond: number; readonly ackMs: number }>();
  for (const writers of WRITERS) {
    const report = await load.run({ kind: 'entry-open', writers, ...common });
    const writesPerSecond = (report.writes * 1_000) / report.elapsedMs;
    measured.set(writers, { writesPerSecond, ackMs: report.latencyMsP50 });
  }
  const paced = await load.run({
    kind: 'paced',
    writers: 1,
    writesPerSecond: Math.min(PACED_PER_SECOND_MAX, PACED_SHARE * measured.get(1)!.writesPerSecond),
    ...common,
  });
  return {
    lag: spreadOfPercentile([paced.lagsMs ?? []], 0.5).median,
    'acknowledged, one at a time': paced.latencyMsP50,
    ...byWriters((writers) => measured.get(writers)!),
  };
}

function byWriters(
  of: (writers: number) => { readonly writesPerSecond: number; readonly ackMs: number },
): Omit<Figures, 'lag' | 'acknowledged, one at a time'> {
  const entries = WRITERS.flatMap((writers) => {
    const { writesPerSecond, ackMs } = of(writers);
    return [
      [`acknowledged, ${writers} writers`, ackMs],
      [`writes a second, ${writers} writers`, writesPerSecond],
    ];
  });
  return Object.fromEntries(entries) as ReturnType<typeof byWriters>;
}

/** Returns by how much the nearer ends of both intervals differ; 1 where they overlap. */
function apart(one: Pick<Spread, 'low' | 'high'>, other: Pick<Spread, 'low' | 'high'>): number {
  return Math.max(1, one.low / other.high, other.low / one.high);
}

test('tandem measure says of the regions of npm start what the benchmark measures of them', async () => {
  // Whoever writes first meets tables and code for the first time.
  await byBenchmark();
  const reports: Report[] = [];
  const rounds = await alternate(ROUNDS, {
    subject: () => byCommand(reports),
    baseline: byBenchmark,
  });
  const counted = { rig, rounds: ROUNDS, customers: 200, bucketCount: BUCKETS };
  const idle = await countBilled({ ...counted, writers: 1, writes: 50 });
  const busy = await countBilled({ ...counted, writers: 64, writes: 1_000 });

  const spreadBy = (side: keyof Pair<Figures>, name: Figure): Spread =>
    spreadOf(rounds.map((round) => round[side][name]));
  const compared = (Object.keys(rounds[0]!.subject) as Figure[]).map((name) => ({
    name,
    command: spreadBy('subject', name),
    benchmark: spreadBy('baseline', name),
  }));
  // The looks at whether a write has come are its own; its writes are of one and of many at a time.
  const perWrite = reports.map(
    ({ writes, billed }) => (billed.total - billed.counted.pointReads) / writes,
  );
  const all = [
    ...compared,
    {
      name: 'billed for a write',
      command: spreadOf(perWrite),
      benchmark: { low: busy.perWrite.low, high: idle.perWrite.high },
    },
  ];
  expect(all.filter(({ command, benchmark }) => !(apart(command, benchmark) <= WIDER))).toEqual([]);
});
