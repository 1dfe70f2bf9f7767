import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Spread, spreadOfRatio } from '../stats/spread.ts';
import type { PatternFigures, SizeFigures, SizeOptions } from './size-figures.ts';

export interface CountedGrowth {
  /** Of our own processor time a write, at the largest size by that at the smallest. */
  readonly even: Spread;
  readonly workingSet: Spread;
  readonly unmet: Spread;
  readonly sizes: readonly SizeFigures[];
}

export interface CountGrowthOptions extends Omit<SizeOptions, 'customers'> {
  readonly sizes: readonly number[];
  readonly onSize: (figures: SizeFigures) => void;
}

export const COUNTED_SIZES = [10_000, 100_000, 1_000_000];
export const WORKING_SET = 10_000;

/** As Node has it by default in a container of 512 MiB. */
const NODE_FLAGS = ['--expose-gc', '--max-old-space-size=256'];
/** A million customers are there after one minute, and remembered after another. */
const SIZE_MS_MAX = 15 * 60_000;
const MAIN = fileURLToPath(new URL('measure-size.ts', import.meta.url));

/** The shipping code of two regions over tables whose requests take the same at any size. */
export async function countGrowth(options: CountGrowthOptions): Promise<CountedGrowth> {
  const { sizes: wanted, onSize, ...common } = options;
  const sizes: SizeFigures[] = [];
  for (const customers of wanted) {
    const own = { ...common, customers } satisfies SizeOptions;
    const figures = await measureInProcess(own);
    onSize(figures);
    sizes.push(figures);
  }
  const ratio = (of: (figures: SizeFigures) => PatternFigures): Spread => {
    const [smallest, largest] = [sizes[0], sizes.at(-1)];
    const partsOf = (figures: SizeFigures | undefined): readonly number[] =>
      figures === undefined ? [] : of(figures).cpuMsPerWriteOfParts;
    return spreadOfRatio(partsOf(largest), partsOf(smallest));
  };
  return {
    even: ratio(({ even }) => even),
    workingSet: ratio(({ workingSet }) => workingSet),
    unmet: ratio(({ unmet }) => unmet),
    sizes,
  };
}

async function measureInProcess(options: SizeOptions): Promise<SizeFigures> {
  const args = [...NODE_FLAGS, MAIN, JSON.stringify(options)];
  const measuring = promisify(execFile)(process.execPath, args, { timeout: SIZE_MS_MAX });
  const kill = (): void => void measuring.child.kill('SIGKILL');
  process.once('exit', kill);
  try {
    return JSON.parse((await measuring).stdout) as SizeFigures;
  } finally {
    process.off('exit', kill);
  }
}
