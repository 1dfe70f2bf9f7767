import { ROW_MEMORY_BYTES_DEFAULT } from '@tandem/storage/testing';
import {
  COUNTED_SIZES,
  type CountedGrowth,
  countGrowth,
  WORKING_SET,
} from '../growth/count-growth.ts';
import type { SizeFigures as CountedSizeFigures } from '../growth/size-figures.ts';
import { startLoad } from '../load/load-driver.ts';
import type { RunningProgram } from '../rig/start-program.ts';
import { type Rig, startRegions } from '../rig/start-regions.ts';
import { round } from '../stats/spread.ts';
import { measureLag } from './lag.ts';

/** At one number of customers. */
interface SizeFigures {
  readonly customers: number;
  /** Processor time a write of all that is ours: writer, replicators, brokers. */
  readonly cpuMsPerWrite: number;
  /** Of both stores. Azurite looks a row's place up in the whole table, whoever writes it. */
  readonly storeCpuMsPerWrite: number;
  /** The smaller, the more of what a transaction costs falls to each write. */
  readonly writesPerChangeSet: number;
  readonly lagMsP50: number;
  readonly lagMsP99: number;
  /** Of the first page of 100, the median. */
  readonly pageMsP50: number;
  /** Resident memory of writer and replicators. */
  readonly memoryMib: number;
}

export interface Growth {
  /** Over tables whose requests take the same at any size. */
  readonly counted: CountedGrowth;
  /** Our own processor time a write over Azurite, at the largest size by that at the smallest. */
  readonly ratio: number;
  readonly sizes: readonly SizeFigures[];
}

export interface GrowthOptions {
  readonly sizes: readonly number[];
  readonly bucketCount: number;
  readonly durationMs: number;
  readonly onSize: (figures: SizeFigures | CountedSizeFigures) => void;
}

const MIB = 1024 * 1024;
const WRITERS = 256;
const PACED_PER_SECOND = 200;
/** A sweep reads a range of each bucket; Azurite answers it by looking at every row of the table. */
const SWEEP_INTERVAL_MS = 600_000;

export async function measureGrowth(options: GrowthOptions): Promise<Growth> {
  const counted = await countGrowth({
    ...options,
    sizes: COUNTED_SIZES,
    workingSet: WORKING_SET,
    memoryMib: ROW_MEMORY_BYTES_DEFAULT / MIB,
  });
  const sizes: SizeFigures[] = [];
  for (const customers of options.sizes) {
    const rig = await startRegions({
      settings: {
        'Sweep.IntervalMs': String(SWEEP_INTERVAL_MS),
        'Tables.BucketCount': String(options.bucketCount),
      },
    });
    try {
      const figures = await measureSize(rig, customers, options);
      options.onSize(figures);
      sizes.push(figures);
    } finally {
      await rig.stop();
    }
  }
  const [smallest, largest] = [sizes[0], sizes.at(-1)];
  const ratio = (largest?.cpuMsPerWrite ?? Number.NaN) / (smallest?.cpuMsPerWrite ?? Number.NaN);
  return { counted, ratio: round(ratio), sizes };
}

async function measureSize(
  rig: Rig,
  customers: number,
  { bucketCount, durationMs }: GrowthOptions,
): Promise<SizeFigures> {
  const load = await startLoad(rig, { bucketCount });
  try {
    const common = { writers: WRITERS, durationMs, customers };
    await load.run({ kind: 'backlog', ...common });
    await load.run({ kind: 'until-replicated', ...common });
    await load.run({ kind: 'replicated', ...common });
    const programs = [...rig.programs, load.program];
    const before = programs.map((program) => program.cpuMs());
    const { writes, changeSets } = await load.run({ kind: 'replicated', ...common });
    const used = programs.map((program, index) => program.cpuMs() - (before[index] ?? 0));
    const perWrite = (ofStores: boolean): number =>
      used
        .filter((_, index) => isStore(programs[index]) === ofStores)
        .reduce((sum, ms) => sum + ms, 0) / writes;
    const pages = await load.run({ kind: 'pages', ...common, writers: 1 });
    const lag = await measureLag(load, {
      writesPerSecond: PACED_PER_SECOND,
      durationMs: 2 * durationMs,
      customers,
    });
    const memory = programs.filter((program) => !isStore(program));
    return {
      customers,
      cpuMsPerWrite: round(perWrite(false)),
      storeCpuMsPerWrite: round(perWrite(true)),
      writesPerChangeSet: round(writes / changeSets),
      lagMsP50: lag.lagMsP50,
      lagMsP99: lag.lagMsP99,
      pageMsP50: round(pages.latencyMsP50),
      memoryMib: round(memory.reduce((sum, program) => sum + program.memoryMib(), 0)),
    };
  } finally {
    await load.program.stop();
  }
}

function isStore(program: RunningProgram | undefined): boolean {
  return program?.name.endsWith('tables') === true;
}
