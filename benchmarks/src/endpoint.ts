/**
 * `pnpm bench:endpoint`: what the Table endpoint costs beside the service that it stands for, with the same client. Each
 * figure is a ratio against bare Azurite of the same run, but for the requests to the tables, which are counted.
 */
import { Command } from 'commander';
import { startLoad } from './load/load-driver.ts';
import { compareEndpoint, type EndpointVsBare } from './measures/endpoint-vs-bare.ts';
import { countTableRequests, type TableRequests } from './measures/table-requests.ts';
import { type Rig, startRegions } from './rig/start-regions.ts';
import { describeRun } from './run/describe-run.ts';
import { check, type FigureDefinitions, judge, swingsOf } from './run/figures.ts';
import { positive } from './run/flag-values.ts';

/** What transactions of 100 rows take, and all rows that one message does not hold. */
const SETTINGS = { 'Messages.WireVersion': '8' };
const BUCKETS = 4;

const flags = new Command('pnpm bench:endpoint')
  .description('What the Table endpoint costs beside bare tables, with the same client.')
  .option('--rounds <count>', 'of each comparison', positive, 5)
  .option('--seconds <count>', 'of each measurement', positive, 10)
  .option('--warm-up <count>', 'seconds before each comparison, of both sides', positive, 10)
  .option('--customers <count>', 'that are written to', positive, 2_000)
  .option('--profile <folder>', 'keeps a processor profile of each program there')
  .option(
    '--check',
    'fails when a goal lies outside the interval of its figure, or the run is invalid',
  )
  .option('--json', 'nothing on standard output but the last line')
  .parse()
  .opts<{
    readonly check?: boolean;
    readonly rounds: number;
    readonly seconds: number;
    readonly warmUp: number;
    readonly customers: number;
    readonly profile?: string;
    readonly json?: boolean;
  }>();
const nodeFlags =
  flags.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${flags.profile}`];

async function compare(): Promise<EndpointVsBare> {
  return withRig(true, async (rig) => {
    const load = await startLoad(rig, { bucketCount: BUCKETS, nodeFlags });
    try {
      return await compareEndpoint({
        rig,
        load,
        rounds: flags.rounds,
        durationMs: flags.seconds * 1_000,
        warmUpMs: flags.warmUp * 1_000,
        customers: flags.customers,
      });
    } finally {
      await load.program.stop();
    }
  });
}

async function withRig<Result>(
  hasReplicators: boolean,
  measure: (rig: Rig) => Promise<Result>,
): Promise<Result> {
  const rig = await startRegions({ nodeFlags, settings: SETTINGS, hasReplicators });
  try {
    return await measure(rig);
  } finally {
    await rig.stop();
  }
}

interface Measured extends EndpointVsBare {
  readonly requests: TableRequests;
}

const FIGURES = {
  endpointVsBare64: { better: 'higher', goal: 0.8, of: ({ upserts64 }) => upserts64.rate },
  endpointVsBare256: { better: 'higher', goal: 1, of: ({ upserts256 }) => upserts256.rate },
  endpointBatchVsBare99: { better: 'higher', goal: 0.55, of: ({ rows99 }) => rows99.rate },
  endpointBatchVsBare100: { better: 'higher', goal: 0.5, of: ({ rows100 }) => rows100.rate },
  endpointGetVsBare: { better: 'higher', goal: 0.6, of: ({ gets }) => gets.rate },
  endpointQueryVsBare: { better: 'higher', goal: 0.5, of: ({ pages }) => pages.rate },
  endpointIdle: { better: 'lower', goal: 2, of: ({ idle }) => idle },
  endpointCpu256: { better: 'lower', of: ({ upserts256 }) => upserts256.cpu },
  perWrite1: { better: 'lower', goal: 0.3, of: ({ requests }) => requests.perWrite1 },
  perWrite20: { better: 'lower', goal: 0.3, of: ({ requests }) => requests.perWrite20 },
  perWrite100: { better: 'lower', of: ({ requests }) => requests.perWrite100 },
  perWrite1000: { better: 'lower', of: ({ requests }) => requests.perWrite1000 },
  idlePerSecond1: { better: 'lower', of: ({ requests }) => requests.idlePerSecond1 },
  idlePerSecond500: { better: 'lower', of: ({ requests }) => requests.idlePerSecond500 },
} as const satisfies FigureDefinitions<string, Measured>;

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const run = describeRun();
const requests = await withRig(false, countTableRequests);
const compared = await compare();
if (flags.json !== true) {
  process.stdout.write(`${JSON.stringify({ ...run, ...compared }, undefined, 2)}\n`);
}
const figures = judge(FIGURES, { ...compared, requests });
const invalid = swingsOf({
  'bare with 64 writers': compared.upserts64.barePerSecond,
  'bare with 256 writers': compared.upserts256.barePerSecond,
});
if (flags.check === true) check(invalid, figures);
const mark = invalid.length === 0 ? {} : { invalid };
process.stdout.write(`${JSON.stringify({ ...mark, ...figures })}\n`);
