import { expect, test } from 'vitest';
import { describeProgress } from './progress.ts';

test.each([
  [
    'nothing known of the end',
    { done: 500, total: undefined, passedMs: 1_000 },
    'rows 500 · 500/s',
  ],
  ['half of it done', { done: 500, total: 1_000, passedMs: 2_000 }, '250/s · 00:02 left'],
  ['the very beginning', { done: 0, total: 1_000, passedMs: 0 }, '0/s · ? left'],
  ['minutes to go', { done: 10, total: 1_510, passedMs: 1_000 }, '02:30 left'],
])('progress tells rate and time left: %s', (_, at, text) => {
  expect(describeProgress('rows', at)).toContain(text);
});
