import type { DrillPrediction, DrillReport } from '@tandem/core';
import { secondsText } from './describe-status.ts';
import { textTable } from './text-table.ts';

export function describePrediction(prediction: DrillPrediction): string {
  const { region, successor, lostChanges, delayedChanges, isAtLeast, failOver } = prediction;
  const { successorLagMs, successorWaiting, drainMs } = prediction;
  const count = (changes: number): string => `${isAtLeast ? 'at least ' : ''}${changes} changes`;
  return textTable(
    [`if ${region} vanished now`, ''],
    [
      ['traffic would go to', successor ?? 'NOBODY: no other region is ready'],
      ['lost, if it never came back', count(lostChanges)],
      ['late: some regions have them, not all', count(delayedChanges)],
      [
        'time to fail over',
        `${secondsText(failOver.formulaMs)} by the formula, ${secondsText(failOver.worstMs)} at worst`,
      ],
      [
        'what is shown then is old by',
        successorLagMs === undefined ? 'not known' : secondsText(successorLagMs),
      ],
      [
        'messages to apply first',
        successorWaiting === undefined ? 'not known' : String(successorWaiting),
      ],
      ['time to drain them', drainMs === undefined ? 'not known' : secondsText(drainMs)],
    ],
  );
}

export function describeDrill(report: DrillReport): string {
  const { region, successor, bounds, failOverMs, isWithinBounds, counts } = report;
  const within = isWithinBounds ? 'within' : 'NOT within';
  const table = textTable(
    [`drill of ${region}`, 'measured', 'to be'],
    [
      [
        `clients at ${successor}`,
        secondsText(failOverMs),
        `${within} ${secondsText(bounds.soonestMs)} to ${secondsText(bounds.worstMs)}` +
          `, ${secondsText(bounds.formulaMs)} by the formula`,
      ],
      ['caught up', optional(report.catchUpMs), 'after the end of the drill'],
      [`clients at ${region} again`, optional(report.failBackMs), 'after the end of the drill'],
      ['writes', String(counts.writes), ''],
      ['reads', String(counts.reads), ''],
      ['requests that failed', String(counts.failed), '0'],
      ['reads put off until caught up', String(counts.refused), ''],
      ['reads older than the client', String(counts.stale), '0'],
    ],
  );
  return [
    table,
    ...(report.failBackMs === undefined
      ? [`${region} did not take traffic again in time: tandem status says why.`]
      : []),
    ...report.unsettled.map(
      (one) =>
        `${one} was not ready all the while that clients were leaving: it had not settled, and what was ` +
        'measured is not what a fail-over takes. Repeat the drill once it has.',
    ),
  ].join('\n');
}

function optional(ms: number | undefined): string {
  return ms === undefined ? 'not in time' : secondsText(ms);
}
