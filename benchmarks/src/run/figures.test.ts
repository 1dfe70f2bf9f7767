import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { spreadOf } from '../stats/spread.ts';
import { type FigureDefinitions, judge, missedGoals, SWING_MAX, swingsOf } from './figures.ts';
import { FIGURES, whyInvalid } from './goals.ts';
import { lastValidRun, readHistory } from './history.ts';

interface Measured {
  readonly rate?: ReturnType<typeof spreadOf>;
  readonly cost?: ReturnType<typeof spreadOf> | number;
}

const DEFINITIONS = {
  rate: { better: 'higher', goal: 1.6, of: ({ rate }) => rate },
  cost: { better: 'lower', goal: 0.4, of: ({ cost }) => cost },
} as const satisfies FigureDefinitions<string, Measured>;

const around = (middle: number) => spreadOf([0.9, 0.95, 1, 1.05, 1.1].map((by) => by * middle));

describe('a figure and its goal', () => {
  test.each([
    [2, 0.3, 'reached'],
    [1.2, 0.6, 'missed'],
    [1.55, 0.41, 'undecided'],
    [1.65, 0.39, 'undecided'],
  ])('of %f at least 1.6, and %f at most 0.4, are both %s', (rate, cost, verdict) => {
    const { rate: ofRate, cost: ofCost } = judge(DEFINITIONS, {
      rate: around(rate),
      cost: around(cost),
    });
    expect([ofRate?.verdict, ofCost?.verdict]).toEqual([verdict, verdict]);
  });

  test('fail the check only where the goal lies outside the interval', () => {
    expect(missedGoals(judge(DEFINITIONS, { rate: around(1.55), cost: 0.3 }))).toEqual([]);
    expect(missedGoals(judge(DEFINITIONS, { rate: around(1), cost: 0.5 }))).toEqual([
      'rate 1 (0.9 to 1.1), goal ≥ 1.6',
      'cost 0.5 (0.5 to 0.5), goal ≤ 0.4',
    ]);
  });
});

describe('a figure and that of an earlier run', () => {
  test.each([
    [1.8, 0.3, 'better'],
    [1.1, 0.7, 'worse'],
    [1.5, 0.45, 'noise'],
  ])('%f after 1.4, and %f after 0.5, are both %s', (rate, cost, change) => {
    const before = { rate: around(1.4), cost: around(0.5) };
    const judged = judge(DEFINITIONS, { rate: around(rate), cost: around(cost) }, before);
    expect([judged.rate?.change, judged.cost?.change]).toEqual([change, change]);
  });

  test('say nothing of what only one of both measured', () => {
    const { rate, cost } = judge(DEFINITIONS, { rate: around(1.4) }, { cost: 0.5 });
    expect(rate).not.toHaveProperty('change');
    expect(cost).toBeUndefined();
  });
});

describe('a run', () => {
  test('is invalid when a loop that all is divided by swings too far', () => {
    const steady = spreadOf([4_000, 4_000 * SWING_MAX]);
    const swinging = spreadOf([4_000, 4_000 * SWING_MAX * 1.1]);
    expect(swingsOf({ bare: steady, unmeasured: undefined })).toEqual([]);
    expect(swingsOf({ bare: swinging })).toEqual([
      'bare did 4000 to 6600 a second, more than 1.5 times apart: run it again while nothing else runs',
    ]);
    expect(whyInvalid({ at64: { bareWritesPerSecond: swinging } })).toHaveLength(1);
  });
});

describe('the history', () => {
  const lines = readFileSync(new URL('../../history.ndjson', import.meta.url), 'utf8');
  const runs = readHistory(lines);

  test('of before there were intervals is read, with what its rounds lay apart in their place', () => {
    const of = (commit: string) => judge(FIGURES, runs.find((run) => run.commit === commit)!);
    expect(of('58aed6c').replicatedVsBare64).toMatchObject({ value: 1.29, low: 1.06, high: 1.37 });
    expect(of('58aed6c').growth).toMatchObject({ value: 0.977, low: 0.977, high: 0.977 });
    expect(of('58aed6c').catchUpVsBatch).toMatchObject({ value: 1.34, verdict: 'missed' });
    // Measured what was there to be measured.
    expect(of('794907b')).not.toHaveProperty('growth');
  });

  test.each(runs.map((run) => [run.commit, run] as const))(
    'has of %s what its goals were then',
    (_commit, run) => {
      const goals = (run as { goals?: Record<string, number> }).goals ?? {};
      const values = Object.entries(judge(FIGURES, run))
        .filter(([name]) => name in goals)
        .map(([name, { value }]) => [name, value]);
      expect(values.length).toBeGreaterThan(5);
      expect(goals).toMatchObject(Object.fromEntries(values));
    },
  );

  test('is compared with the last run of such a machine that is valid', () => {
    const valid = { processor: 'A', cores: 2, at64: { bareWritesPerSecond: spreadOf([4, 5]) } };
    const swung = { ...valid, at64: { bareWritesPerSecond: spreadOf([2, 5]) } };
    const other = { ...valid, cores: 8 };
    const text = [valid, swung, other].map((run) => JSON.stringify(run)).join('\n');
    expect(lastValidRun(readHistory(text), { processor: 'A', cores: 2 })).toEqual(valid);
    expect(lastValidRun(readHistory(text))).toEqual(other);
  });
});
