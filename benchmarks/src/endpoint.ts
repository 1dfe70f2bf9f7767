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
  .option('--json', 'nothing on standard output but the last line')
  .parse()
  .opts<{
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

function figuresOf(compared: EndpointVsBare, requests: TableRequests): Record<string, unknown> {
  return {
    endpointVsBare64: compared.upserts64.rate.median,
    endpointVsBare256: compared.upserts256.rate.median,
    endpointBatchVsBare: {
      99: compared.rows99.rate.median,
      100: compared.rows100.rate.median,
    },
    endpointGetVsBare: compared.gets.rate.median,
    endpointQueryVsBare: compared.pages.rate.median,
    endpointIdle: compared.idle.median,
    endpointCpu256: compared.upserts256.cpu.median,
    ...requests,
  };
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const run = describeRun();
const requests = await withRig(false, countTableRequests);
const compared = await compare();
if (flags.json !== true) {
  process.stdout.write(`${JSON.stringify({ ...run, ...compared }, undefined, 2)}\n`);
}
process.stdout.write(`${JSON.stringify(figuresOf(compared, requests))}\n`);
