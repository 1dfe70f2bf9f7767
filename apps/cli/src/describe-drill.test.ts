import type { DrillPrediction, DrillReport } from '@tandem/core';
import { expect, test } from 'vitest';
import { describeDrill, describePrediction } from './commands/drill.ts';
import { linesOf } from './testing/lines-of.ts';

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
  expect(linesOf(describeDrill(REPORT))).toMatchInlineSnapshot(`
    [
      "drill of east | measured | to be",
      "clients at west | 41.5 s | within 30.0 s to 59.0 s, 40.0 s by the formula",
      "caught up | 2.0 s | after the end of the drill",
      "clients at east again | 14.0 s | after the end of the drill",
      "writes | 900",
      "reads | 1000",
      "requests that failed | 0 | 0",
      "reads put off until caught up | 3",
      "reads older than the client | 0 | 0",
    ]
  `);
});

test('a drill whose region did not return, or left too late, says so', () => {
  const text = describeDrill({ ...REPORT, failBackMs: undefined, isWithinBounds: false });
  expect(text).toContain('NOT within');
  expect(text).toContain('east did not take traffic again in time');
});

test('a drill is measured for nothing while another region had not settled', () => {
  const text = describeDrill({ ...REPORT, unsettled: ['north'], catchUpMs: undefined });
  expect(text).toContain('north was not ready all the while');
  expect(text).toMatch(/caught up .*not in time/);
  expect(describeDrill(REPORT)).not.toContain('not ready');
  expect(describeDrill(REPORT)).not.toContain('in time');
});

const PREDICTION: DrillPrediction = {
  region: 'east',
  successor: 'west',
  lostChanges: 2,
  delayedChanges: 5,
  isAtLeast: false,
  failOver: { soonestMs: 30_000, formulaMs: 40_000, worstMs: 59_000 },
  successorLagMs: 1_200,
  successorWaiting: 40,
  drainMs: 2_000,
};

test('a prediction says what is lost, what is late, and for how long clients ask in vain', () => {
  expect(linesOf(describePrediction(PREDICTION))).toMatchInlineSnapshot(`
    [
      "if east vanished now",
      "traffic would go to | west",
      "lost, if it never came back | 2 changes",
      "late: some regions have them, not all | 5 changes",
      "time to fail over | 40.0 s by the formula, 59.0 s at worst",
      "what is shown then is old by | 1.2 s",
      "messages to apply first | 40",
      "time to drain them | 2.0 s",
    ]
  `);
});

test('a prediction says what nobody knows, and that no region is left', () => {
  const text = describePrediction({
    ...PREDICTION,
    isAtLeast: true,
    successor: undefined,
    successorLagMs: undefined,
    successorWaiting: undefined,
    drainMs: undefined,
  });
  expect(text).toContain('at least 2 changes');
  expect(text).toContain('NOBODY: no other region is ready');
  expect(text.match(/not known/g)).toHaveLength(3);
});
