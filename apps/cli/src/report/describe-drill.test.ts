import type { DrillReport } from '@tandem/core';
import { expect, test } from 'vitest';
import { describeDrill } from './describe-drill.ts';

const REPORT: DrillReport = {
  region: 'east',
  successor: 'west',
  bounds: { soonestMs: 30_000, formulaMs: 40_000, worstMs: 59_000 },
  failOverMs: 41_500,
  isWithinBounds: true,
  catchUpMs: 2_000,
  failBackMs: 14_000,
  unsettled: [],
  counts: { writes: 900, reads: 1_000, failed: 0, refused: 3, stale: 0 },
};

test('a drill is a table of what was measured and what it was to be', () => {
  const text = describeDrill(REPORT);
  for (const line of [
    /clients at west .*41\.5 s .*within 30\.0 s to 59\.0 s, 40\.0 s by the formula/,
    /caught up .*2\.0 s/,
    /clients at east again .*14\.0 s/,
    /reads older than the client .*0 .*0/,
  ]) {
    expect(text).toMatch(line);
  }
});

test('a drill whose region did not return, or left too late, says so', () => {
  const text = describeDrill({ ...REPORT, failBackMs: undefined, isWithinBounds: false });
  expect(text).toContain('NOT within');
  expect(text).toContain('east did not take traffic again in time');
});
