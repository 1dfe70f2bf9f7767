/**
 * `pnpm bench:growth`: what a write, a page and the memory cost with ten thousand to a million customers,
 * the requests counted, the processor time without that of the stores. Nothing is recorded.
 */
import { BUCKET_COUNT_DEFAULT } from '@tandem/core';
import { ROW_MEMORY_BYTES_DEFAULT } from '@tandem/storage/testing';
import { Command } from 'commander';
import { describeRun } from '../run/describe-run.ts';
import { positive, readSizes } from '../run/flag-values.ts';
import { COUNTED_SIZES, countGrowth, WORKING_SET } from './count-growth.ts';

const MIB = 1024 * 1024;

const flags = new Command('pnpm bench:growth')
  .description('What a write costs as the table grows: two regions of shipping code, counted.')
  .option('--sizes <counts>', 'customers in the table, as 10000,100000', readSizes, COUNTED_SIZES)
  .option(
    '--working-set <count>',
    'of them, for the writes that go to some alone',
    positive,
    WORKING_SET,
  )
  .option('--buckets <count>', 'of the table', positive, BUCKET_COUNT_DEFAULT)
  .option('--seconds <count>', 'of each measurement', positive, 10)
  .option(
    '--memory-mib <count>',
    'for rows, in each process',
    positive,
    ROW_MEMORY_BYTES_DEFAULT / MIB,
  )
  .option('--json', 'nothing on standard output but the last line')
  .parse()
  .opts<{
    readonly sizes: readonly number[];
    readonly workingSet: number;
    readonly buckets: number;
    readonly seconds: number;
    readonly memoryMib: number;
    readonly json?: boolean;
  }>();

// Whoever is told to stop stops what it has started: the programs end with this process.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const run = describeRun();
const growth = await countGrowth({
  sizes: flags.sizes,
  workingSet: flags.workingSet,
  bucketCount: flags.buckets,
  durationMs: flags.seconds * 1_000,
  memoryMib: flags.memoryMib,
  onSize: (figures) => {
    if (flags.json !== true) process.stdout.write(`${JSON.stringify(figures, undefined, 2)}\n`);
  },
});
process.stdout.write(`${JSON.stringify({ ...run, ...growth })}\n`);
