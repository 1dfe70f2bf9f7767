/**
 * Figures, their goals and those of runs before. A figure is what it is only as far as its interval reaches, so it
 * is never compared as a single number: see "How to read a run" in docs/performance.md.
 */
import type { Spread } from '../stats/spread.ts';

interface FigureDefinition<Measured> {
  readonly better: 'higher' | 'lower';
  readonly goal?: number;
  /** Undefined where a run did not measure it; runs of before intervals gave some as a number alone. */
  readonly of: (measured: Measured) => RecordedSpread | number | undefined;
}

/** As a run wrote it that may have been before there were intervals. */
export type RecordedSpread = Omit<Spread, 'low' | 'high'> & Partial<Pick<Spread, 'low' | 'high'>>;

export type FigureDefinitions<Name extends string, Measured> = Readonly<
  Record<Name, FigureDefinition<Measured>>
>;

interface Figure {
  readonly value: number;
  /** Both the value itself where it was measured once. */
  readonly low: number;
  readonly high: number;
}

/** `undecided`: the goal lies within the interval, so that this run tells neither. */
type Verdict = 'reached' | 'missed' | 'undecided';

/** Against an earlier run; `noise` where both intervals overlap. */
type Change = 'better' | 'worse' | 'noise';

export interface JudgedFigure extends Figure {
  readonly goal?: string;
  readonly verdict?: Verdict;
  readonly change?: Change;
}

/** Judges each figure that was measured by its goal, and by the same figure of `before` where there is one. */
export function judge<Name extends string, Measured>(
  definitions: FigureDefinitions<Name, Measured>,
  measured: NoInfer<Measured>,
  before?: NoInfer<Measured>,
): Partial<Record<Name, JudgedFigure>> {
  const entries = Object.entries<FigureDefinition<Measured>>(definitions);
  const judged = entries.flatMap(([name, definition]): [string, JudgedFigure][] => {
    const figure = figureOf(definition.of(measured));
    if (figure === undefined) return [];
    const earlier = before === undefined ? undefined : figureOf(definition.of(before));
    const change = earlier === undefined ? {} : { change: changeOf(figure, earlier, definition) };
    return [[name, { ...figure, ...verdictOf(figure, definition), ...change }]];
  });
  return Object.fromEntries(judged) as Partial<Record<Name, JudgedFigure>>;
}

/** Makes the process fail, and says why on standard error, when the run is invalid or misses a goal. */
export function check(
  invalid: readonly string[],
  figures: Readonly<Record<string, JudgedFigure>>,
): void {
  const wrong = [...invalid, ...missedGoals(figures)];
  for (const one of wrong) process.stderr.write(`${one}\n`);
  if (wrong.length > 0) process.exitCode = 1;
}

/** A line for each goal that lies outside the interval of its figure. */
export function missedGoals(figures: Readonly<Record<string, JudgedFigure>>): string[] {
  return Object.entries(figures)
    .filter(([, { verdict }]) => verdict === 'missed')
    .map(
      ([name, { value, low, high, goal }]) => `${name} ${value} (${low} to ${high}), goal ${goal}`,
    );
}

/** A run of before has, in place of an interval, how far its rounds lay apart, which is wider. */
function figureOf(measured: RecordedSpread | number | undefined): Figure | undefined {
  if (measured === undefined) return undefined;
  if (typeof measured === 'number') return { value: measured, low: measured, high: measured };
  const { median: value, min, max, low = min, high = max } = measured;
  return { value, low, high };
}

function verdictOf<Measured>(
  { low, high }: Figure,
  { better, goal }: FigureDefinition<Measured>,
): Pick<JudgedFigure, 'goal' | 'verdict'> {
  if (goal === undefined) return {};
  const [worst, best] = better === 'higher' ? [low, high] : [-high, -low];
  const least = better === 'higher' ? goal : -goal;
  const verdict = worst >= least ? 'reached' : best < least ? 'missed' : 'undecided';
  return { goal: `${better === 'higher' ? '≥' : '≤'} ${goal}`, verdict };
}

function changeOf<Measured>(
  now: Figure,
  before: Figure,
  { better }: FigureDefinition<Measured>,
): Change {
  if (now.low <= before.high && before.low <= now.high) return 'noise';
  return now.low > before.high === (better === 'higher') ? 'better' : 'worse';
}

/**
 * How far the loops that all is divided by may lie apart within one run, the fastest round by the slowest. Beyond
 * it the machine did something else meanwhile, which rarely falls on both sides alike.
 */
export const SWING_MAX = 1.5;

/** Says of each baseline that swung too far; a run of which it says anything is invalid. */
export function swingsOf(
  baselines: Readonly<Record<string, RecordedSpread | number | undefined>>,
): string[] {
  return Object.entries(baselines).flatMap(([name, rate]) => {
    if (rate === undefined || typeof rate === 'number' || rate.max <= rate.min * SWING_MAX)
      return [];
    return [
      `${name} did ${rate.min} to ${rate.max} a second, more than ${SWING_MAX} times apart: ` +
        'run it again while nothing else runs',
    ];
  });
}
