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
  { name, json }: { readonly name: string; readonly json: Outcome['json'] },
  found: readonly RegionTraces[],
  stage: 'planned' | 'applied',
): Outcome {
  const rows = found.map((one) => [one.region, ...countsOf(one).map((count) => String(count))]);
  const left = found.reduce((sum, one) => sum + countTraces(one), 0);
  const unreadable = found.reduce((sum, one) => sum + one.unreadable, 0);
  const isApplied = stage === 'applied';
  const verdict = isApplied
    ? left === 0
      ? `Nothing with values of ${name} left.`
      : `${left} places with values of ${name} left: what was written since, or was under way. Repeat it.`
    : `${left} places hold values of ${name}. Run it again with --apply to erase them.`;
  return {
    text: [
      textTable(HEAD, rows),
      verdict,
      ...(unreadable === 0
        ? []
        : [`${unreadable} rows of its bucket cannot be read, and may hold some.`]),
    ].join('\n'),
    json: { ...json, applied: isApplied, left, regions: found },
    exitCode: isApplied && left + unreadable > 0 ? EXIT.finding : EXIT.ok,
  };
}

/** Counts the places in one region that hold values of the entity. */
export function countTraces(traces: RegionTraces): number {
  return countsOf(traces).reduce((a, b) => a + b, 0);
}

function countsOf(traces: RegionTraces): readonly number[] {
  const { rows, archiveRows, conflicts, outboxRows, queued, deadLetters, replayTables } = traces;
  return [rows, archiveRows, conflicts, outboxRows, queued, deadLetters, replayTables];
}
