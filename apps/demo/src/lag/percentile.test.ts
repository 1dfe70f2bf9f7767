import { expect, it } from 'vitest';
import { percentile } from '../report/demo-report.ts';

const HUNDRED = Array.from({ length: 100 }, (_, index) => 100 - index);

it.each([
  [HUNDRED, 50, 50],
  [HUNDRED, 99, 99],
  [HUNDRED, 100, 100],
  [HUNDRED, 0, 1],
  [[7], 50, 7],
  [[7], 99, 7],
  [[1, 1000], 50, 1],
  [[1, 1000], 99, 1000],
  [[10, 9, 2], 50, 9],
])('of %j the percentile %d is %d', (values, percent, expected) => {
  expect(percentile(values, percent)).toBe(expected);
});

it('of nothing there is none', () => {
  expect(percentile([], 50)).toBeNull();
});
