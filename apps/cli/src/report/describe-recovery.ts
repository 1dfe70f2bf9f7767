import {
  countReplay,
  type DamagedArchiveRow,
  type Difference,
  type FillReport,
  type ReplayPlan,
} from '@tandem/core';
import type { RegionTraces } from '@tandem/storage';
import type { Outcome } from '../act.ts';
import { EXIT, type ExitCode, exitCodeOfProof } from '../exit-codes.ts';
import { countsOf, describeDamagedRow, differenceJson, idText } from './describe-verify.ts';
import { escapeValue } from './escape-text.ts';
import { firstRows, textTable, timeText } from './text-table.ts';

const SHOWN_MAX = 20;

/** How far a replay goes, in milliseconds. */
export interface ReplayReach {
  readonly options: {
    readonly before?: number;
    readonly since?: number;
    readonly inPlace: boolean;
  };
}

export interface ReplayFindings {
  readonly damaged: readonly DamagedArchiveRow[];
  /** Were left alone by a replay to a time. */
  readonly unarchived?: readonly string[];
  /** Regions that were not given what came back. */
  readonly outOfReach?: readonly string[];
  /** Written by someone since the plan was made. */
  readonly leftAlone?: readonly string[];
}

export interface ReplayDone {
  readonly what: string;
  readonly counts: Readonly<Record<string, number | string>>;
}

export function describeReplay(
  { options }: ReplayReach,
  { damaged, unarchived = [], outOfReach = [], leftAlone = [] }: ReplayFindings,
  { what, counts }: ReplayDone,
): Outcome {
  const text = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  return {
    text: [
      `${what}${describeReach(options)}: ${text.join(', ')}.`,
      ...describeLeftAlone(leftAlone),
      ...describeUnarchived(unarchived),
      ...describeDamaged(damaged),
      ...outOfReach.map(
        (peer) => `${peer} is out of reach and was given nothing: tandem repair, once it is back.`,
      ),
    ].join('\n'),
    json: {
      applied: true,
      ...reachJson(options),
      ...counts,
      unarchived,
      leftAlone,
      damaged,
      outOfReach,
    },
    exitCode: exitCodeOf({ damaged, unarchived, outOfReach, leftAlone }),
  };
}

function exitCodeOf(findings: Required<ReplayFindings>): ExitCode {
  const { damaged, unarchived, outOfReach, leftAlone } = findings;
  if (damaged.length + unarchived.length > 0) return EXIT.damaged;
  return outOfReach.length + leftAlone.length > 0 ? EXIT.finding : EXIT.ok;
}

/** Writes the span in UTC, whatever zone it was given in. */
function describeReach({ before, since }: Partial<ReplayReach['options']>): string {
  return [
    ...(since === undefined ? [] : [` from ${timeText(since)} on`]),
    ...(before === undefined ? [] : [` to ${timeText(before)}`]),
  ].join('');
}

function reachJson({ before, since }: Partial<ReplayReach['options']>): object {
  return { sinceMs: since ?? null, beforeMs: before ?? null };
}

function describeLeftAlone(ids: readonly string[]): string[] {
  const [shown, more] = firstRows(ids, SHOWN_MAX);
  if (shown.length === 0) return [];
  return [
    `Left alone, for they were written since this was planned: ${shown.map(escapeValue).join(', ')}.${more} ` +
      'Run it again without --apply to see what is left to do.',
  ];
}

export function describeReplayPlan(
  { changes, same, changeSets, unarchived }: ReplayPlan,
  { options, damaged }: ReplayReach & ReplayFindings,
): Outcome {
  const counts = countReplay(changes);
  const { written, changed, deleted } = counts;
  const [shown, more] = firstRows(changes, SHOWN_MAX);
  const rows = shown.map(({ entityId, bucket, difference }) => [
    idText(entityId),
    bucket,
    `${difference.regions['now']?.life} → ${difference.regions['then']?.life}`,
    difference.fields.map(({ name }) => name).join(', '),
  ]);
  const table = textTable(['id', 'bucket', 'now → then', 'fields that differ'], rows) + more;
  return {
    text: [
      ...(changes.length === 0 ? [] : [table]),
      `${changeSets} change sets${describeReach(options)}: ${same} entities are so already, ` +
        `${changes.length} are not.`,
      ...(changes.length === 0
        ? []
        : [
            options.inPlace
              ? `Rows that would be written: ${written} (${changed} of them are there and change); ` +
                `deleted: ${deleted}.`
              : `Of the live rows, which stay as they are, ${changed} differ and ${deleted} are not in ` +
                `it; ${written - changed} that it has are not live.`,
            'Nothing was written. Run it again with --apply.',
          ]),
      ...describeUnarchived(unarchived),
      ...describeDamaged(damaged),
    ].join('\n'),
    json: {
      applied: false,
      ...reachJson(options),
      changeSets,
      same,
      ...(options.inPlace ? counts : {}),
      changes: changes.map(({ difference }) => differenceJson(difference)),
      unarchived,
      damaged,
    },
    exitCode: damaged.length + unarchived.length > 0 ? EXIT.damaged : EXIT.ok,
  };
}

function describeUnarchived(unarchived: readonly string[]): string[] {
  const [shown, more] = firstRows(unarchived, SHOWN_MAX);
  if (shown.length === 0) return [];
  return [
    `Left alone, for the archive lacks writes of theirs from before then: ${shown.map(escapeValue).join(', ')}.${more} ` +
      'Wait until the outbox is empty, or replay from another region.',
  ];
}

function describeDamaged(damaged: readonly DamagedArchiveRow[]): string[] {
  return damaged.map(({ partitionKey, rowKey, problem }) =>
    escapeValue(`Left out ${partitionKey}/${rowKey}: ${problem}`),
  );
}

export function describeRebuild(region: string, report: FillReport, tookMs: number): Outcome {
  const { rowsWritten, archiveRowsCopied, conflictsCopied } = report;
  const { damagedArchiveRows, proof, doubtful } = report;
  const rowsPerS = Math.round(((rowsWritten + archiveRowsCopied) * 1_000) / Math.max(1, tookMs));
  const verdict = proof.isEqual
    ? `${region} is equal as of ${timeText(proof.asOfMs)}, and no longer held.`
    : `${region} is not proven equal (${countsOf(proof)}) and stays held. Run it again.`;
  return {
    text: [
      `${rowsWritten} rows, ${archiveRowsCopied} archive rows and ${conflictsCopied} conflicts in ` +
        `${(tookMs / 1_000).toFixed(1)} s: ${rowsPerS} rows a second.`,
      ...damagedArchiveRows.map((row) =>
        escapeValue(`Damaged in the archive of ${row.region}: ${row.partitionKey}/${row.rowKey}.`),
      ),
      ...proof.damaged.map(describeDamagedRow),
      ...describeDoubtful(doubtful),
      verdict,
    ].join('\n'),
    json: {
      applied: true,
      region,
      equal: proof.isEqual,
      provenEqualAsOfMs: proof.isEqual ? proof.asOfMs : null,
      rowsWritten,
      archiveRowsCopied,
      conflictsCopied,
      different: proof.differentCount,
      conflictsDifferent: proof.journals.differentCount,
      conflictsDamaged: proof.journals.damagedCount,
      damaged: damagedArchiveRows,
      damagedRows: proof.damaged,
      doubtful: doubtful.map(differenceJson),
      tookMs,
      rowsPerS,
    },
    exitCode: exitCodeOfProof(proof),
  };
}

function describeDoubtful(doubtful: readonly Difference[]): string[] {
  const [shown, more] = firstRows(doubtful, SHOWN_MAX);
  if (shown.length === 0) return [];
  const ids = shown.map(({ entityId }) => escapeValue(entityId)).join(', ');
  return [
    `Left alone, for they are older than every tombstone, and lost in one region or deleted in the other: ` +
      `${ids}.${more} See tandem history; then tandem repair --include-old, or delete them.`,
  ];
}

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
  const rows = found.map((one) => [
    one.region,
    ...countsOfTraces(one).map((count) => String(count)),
  ]);
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
  return countsOfTraces(traces).reduce((a, b) => a + b, 0);
}

function countsOfTraces(traces: RegionTraces): readonly number[] {
  const { rows, archiveRows, conflicts, outboxRows, queued, deadLetters, replayTables } = traces;
  return [rows, archiveRows, conflicts, outboxRows, queued, deadLetters, replayTables];
}
