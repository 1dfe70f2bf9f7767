/** `pnpm cost`: what a million writes are billed, in this design and in the pattern's first form. */
import { BUCKET_COUNT_DEFAULT } from '@tandem/core';
import Table from 'cli-table3';
import { Command, InvalidArgumentError } from 'commander';
import { round } from '../stats/spread.ts';
import { countDesign } from './count-design.ts';
import { countFirstForm } from './count-first-form.ts';
import { PRICES_AS_OF, PRICES_DEFAULT, priceOfMillion } from './prices.ts';
import type { Usage } from './usage.ts';

const SECONDS_PER_MONTH = 30 * 24 * 3_600;
const RATE_MAX = 100_000;
/** As many as a kind can have. */
const BUCKETS_MAX = 256;
const REGIONS_MAX = 8;
const SECONDS_MAX = 600;

function numberUpTo(max: number, min = 0) {
  return (text: string): number => {
    const value = Number(text);
    if (text.trim() !== '' && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Give a number from ${min} to ${max}.`);
  };
}

interface Arguments {
  readonly writesPerSecond: number;
  readonly regions: number;
  readonly buckets: number;
  readonly seconds: number;
  readonly tableMs: number;
  readonly busMs: number;
  readonly priceTable: number;
  readonly priceBus: number;
  readonly priceTraffic: number;
  readonly json?: boolean;
}

const args = new Command('pnpm cost')
  .description(
    'Counts what writes are billed: the shipping code in virtual time, and the pattern’s first form.',
  )
  .option('--writes-per-second <rate>', 'in one region', numberUpTo(RATE_MAX, 0.1), 100)
  .option('--regions <count>', 'all of them', numberUpTo(REGIONS_MAX, 2), 2)
  .option('--buckets <count>', 'of the table', numberUpTo(BUCKETS_MAX, 1), BUCKET_COUNT_DEFAULT)
  .option('--seconds <count>', 'of virtual time', numberUpTo(SECONDS_MAX, 1), 20)
  .option('--table-ms <ms>', 'that a table takes to answer', numberUpTo(10_000), 10)
  .option('--bus-ms <ms>', 'that the other region’s queue takes', numberUpTo(10_000), 40)
  .option('--price-table <usd>', 'of 10,000 requests', numberUpTo(1e6), PRICES_DEFAULT.tablePer10k)
  .option('--price-bus <usd>', 'of a million', numberUpTo(1e6), PRICES_DEFAULT.busPerMillion)
  .option('--price-traffic <usd>', 'of a GiB', numberUpTo(1e6), PRICES_DEFAULT.trafficPerGib)
  .option('--json', 'one line of JSON instead of the table')
  .parse()
  .opts<Arguments>();

const { writesPerSecond, regions, seconds } = args;
const latencies = { tableMs: args.tableMs, busMs: args.busMs };
const prices = {
  tablePer10k: args.priceTable,
  busPerMillion: args.priceBus,
  trafficPerGib: args.priceTraffic,
};
const workload = { writesPerSecond, regions, seconds, customers: 1_000, bucketCount: args.buckets };
const design = await countDesign(workload, latencies);
const firstForm = await countFirstForm(regions, latencies);

const COLUMNS = [
  'tableRequests',
  'tableRows',
  'busOperations',
  'billed',
  'bytesBetweenRegions',
  'usdPerMillionWrites',
] as const;

const describe = (usage: Usage) => ({
  tableRequests: round(usage.tableRequests),
  tableRows: round(usage.tableRows),
  busOperations: round(usage.busOperations),
  billed: round(usage.tableRequests + usage.busOperations),
  bytesBetweenRegions: Math.round(usage.bytesBetweenRegions),
  usdPerMillionWrites: round(priceOfMillion(usage, prices)),
});
const idleUsdPerMonth = round(
  (priceOfMillion(design.idlePerSecond, prices) / 1_000_000) * SECONDS_PER_MONTH,
);
const report = {
  writesPerSecond,
  regions,
  buckets: args.buckets,
  writesPerTransaction: round(design.writesPerTransaction),
  design: describe(design.perWrite),
  firstForm: describe(firstForm),
  idleUsdPerMonth,
  prices,
  pricesAsOf: PRICES_AS_OF,
};

if (args.json === true) process.stdout.write(`${JSON.stringify(report)}\n`);
else {
  process.stdout.write(
    `${writesPerSecond} writes a second in one of ${regions} regions; of one write:\n`,
  );
  const table = new Table({ head: ['', 'this design', 'first form'] });
  for (const name of COLUMNS) table.push([name, report.design[name], report.firstForm[name]]);
  process.stdout.write(`${table.toString()}\n`);
  process.stdout.write(
    `${report.writesPerTransaction} writes share a transaction. Sweeps, watermarks and heartbeats of all ` +
      `regions: ${idleUsdPerMonth} USD a month, whatever is written.\n` +
      `Prices are list prices as remembered on ${PRICES_AS_OF}; give yours by --price-….\n`,
  );
}
