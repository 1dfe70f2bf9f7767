import type { RegionTraces } from '@tandem/storage';
import type { Outcome } from '../act.ts';
import { EXIT } from '../exit-codes.ts';
import { textTable } from './text-table.ts';

const HEAD = [
  'region',
  'rows',
  'archive',
  'conflicts',
  'outbox',
  'queue',
  'dead letters',
  'replays',
];

export function describeForget(
  id: string,
  found: readonly RegionTraces[],
  stage: 'planned' | 'applied',
): Outcome {
  const rows = found.map((one) => [one.region, ...countsOf(one).map((count) => String(count))]);
  const left = found.reduce((sum, one) => sum + countsOf(one).reduce((a, b) => a + b, 0), 0);
  const unreadable = found.reduce((sum, one) => sum + one.unreadable, 0);
  const isApplied = stage === 'applied';
  const verdict = isApplied
    ? `${left === 0 ? 'Nothing' : `${left} places`} with values of ${id} left.`
    : `${left} places hold values of ${id}. Run it again with --apply to erase them.`;
  return {
    text: [
      textTable(HEAD, rows),
      verdict,
      ...(unreadable === 0
        ? []
        : [`${unreadable} rows of its bucket cannot be read, and may hold some.`]),
    ].join('\n'),
    json: { id, applied: isApplied, left, regions: found },
    exitCode: isApplied && left + unreadable > 0 ? EXIT.finding : EXIT.ok,
  };
}

function countsOf(traces: RegionTraces): readonly number[] {
  const { rows, archiveRows, conflicts, outboxRows, queued, deadLetters, replayTables } = traces;
  return [rows, archiveRows, conflicts, outboxRows, queued, deadLetters, replayTables];
}
