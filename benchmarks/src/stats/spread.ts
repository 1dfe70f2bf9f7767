/**
 * What several rounds say together: the middle, how far they lie apart, and where the middle lies for certain
 * enough. The last is the percentile interval of Efron's bootstrap ("Bootstrap Methods", 1979): the rounds
 * are drawn anew with replacement, and what the statistic gives of such draws stands for what other runs would
 * have given. Seeded, so that the same rounds always have the same interval.
 */
import { createSeededRandomness } from '@tandem/core/memory';

export interface Spread extends Interval {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly rounds: number;
}

interface Interval {
  /** The ends of the interval that holds the figure with `CONFIDENCE`; of three rounds it holds it in 3 of 4 runs. */
  readonly low: number;
  readonly high: number;
}

export const CONFIDENCE = 0.95;
const DRAWS = 2_000;
const SEED = 1;

export function spreadOf(values: readonly number[]): Spread {
  return { ...rangeOf(values), ...intervalOf([values], ([drawn]) => medianOf(drawn)) };
}

/** The medians of both by one another, where a round of the one is none of the other. */
export function spreadOfRatio(subject: readonly number[], baseline: readonly number[]): Spread {
  const ratioOf = (drawn: readonly (readonly number[])[]): number =>
    medianOf(drawn[0]) / medianOf(drawn[1]);
  return {
    ...rangeOf(subject.map((value) => value / medianOf(baseline))),
    median: round(ratioOf([subject, baseline])),
    ...intervalOf([subject, baseline], ratioOf),
  };
}

/**
 * The percentile of all samples of all rounds. Whole rounds are drawn and not samples: those of one round are
 * near one another, and would make the interval too narrow.
 */
export function spreadOfPercentile(
  rounds: readonly (readonly number[])[],
  fraction: number,
): Spread {
  const of = (some: readonly (readonly number[])[] = []): number =>
    percentile(some.flat().toSorted(ascending), fraction);
  return {
    ...rangeOf(rounds.map((one) => of([one]))),
    median: round(of(rounds)),
    ...intervalOf([rounds], ([drawn]) => of(drawn)),
  };
}

/** Three significant digits: no benchmark on a shared machine says more. */
export function round(value: number): number {
  return Number(value.toPrecision(3));
}

export function percentile(sorted: readonly number[], fraction: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? 0;
}

function rangeOf(values: readonly number[]): Omit<Spread, keyof Interval> {
  const sorted = values.toSorted(ascending);
  return {
    median: round(medianOf(sorted)),
    min: round(sorted[0] ?? Number.NaN),
    max: round(sorted.at(-1) ?? Number.NaN),
    rounds: sorted.length,
  };
}

/** Each sample is drawn from by itself. */
function intervalOf<Round>(
  samples: readonly (readonly Round[])[],
  statistic: (drawn: readonly (readonly Round[])[]) => number,
): Interval {
  const randomness = createSeededRandomness(SEED);
  const drawFrom = (sample: readonly Round[]): Round[] =>
    sample.map(() => sample[Math.floor(randomness.fraction() * sample.length)]!);
  const drawn = Array.from({ length: DRAWS }, () => statistic(samples.map(drawFrom)));
  drawn.sort(ascending);
  const tail = (1 - CONFIDENCE) / 2;
  return { low: round(percentile(drawn, tail)), high: round(percentile(drawn, 1 - tail)) };
}

function medianOf(values: readonly number[] = []): number {
  const sorted = values.toSorted(ascending);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  const lower = sorted[sorted.length % 2 === 0 ? middle - 1 : middle] ?? Number.NaN;
  return (lower + upper) / 2;
}

function ascending(a: number, b: number): number {
  return a - b;
}
