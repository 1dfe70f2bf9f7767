import type { DamagedArchiveRow, ReplayPlan } from '@tandem/core';
import type { Outcome } from '../act.ts';
import { toJson } from '../commands/verify.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { firstRows, textTable } from './text-table.ts';

const SHOWN_MAX = 20;

export interface ReplayFindings {
  readonly damaged: readonly DamagedArchiveRow[];
  /** Left alone by a replay to a time. */
  readonly unarchived?: readonly string[];
  /** Regions that were not given what came back. */
  readonly outOfReach?: readonly string[];
}

export function describeReplay(
  { damaged, unarchived = [], outOfReach = [] }: ReplayFindings,
  what: string,
  counts: Readonly<Record<string, number | string>>,
): Outcome {
  const text = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  return {
    text: [
      `${what}: ${text.join(', ')}.`,
      ...describeUnarchived(unarchived),
      ...describeDamaged(damaged),
      ...outOfReach.map(
        (peer) => `${peer} is out of reach and was given nothing: tandem repair, once it is back.`,
      ),
    ].join('\n'),
    json: { applied: true, ...counts, unarchived, damaged, outOfReach },
    exitCode: exitCodeOf({ damaged, unarchived, outOfReach }),
  };
}

function exitCodeOf({ damaged, unarchived, outOfReach }: Required<ReplayFindings>): ExitCode {
  if (damaged.length + unarchived.length > 0) return EXIT.damaged;
  return outOfReach.length > 0 ? EXIT.finding : EXIT.ok;
}

export function describeReplayPlan(
  { changes, same, changeSets, unarchived }: ReplayPlan,
  { damaged }: ReplayFindings,
): Outcome {
  const [shown, more] = firstRows(changes, SHOWN_MAX);
  const rows = shown.map(({ entityId, bucket, difference }) => [
    entityId,
    bucket,
    `${difference.regions['now']?.life} → ${difference.regions['then']?.life}`,
    difference.fields.map(({ name }) => name).join(', '),
  ]);
  const table = textTable(['id', 'bucket', 'now → then', 'fields that differ'], rows) + more;
  return {
    text: [
      ...(changes.length === 0 ? [] : [table]),
      `${changeSets} change sets: ${same} entities are so already, ${changes.length} are not.`,
      ...(changes.length === 0 ? [] : ['Nothing was written. Run it again with --apply.']),
      ...describeUnarchived(unarchived),
      ...describeDamaged(damaged),
    ].join('\n'),
    json: {
      applied: false,
      changeSets,
      same,
      changes: changes.map(({ difference }) => toJson(difference)),
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
    `Left alone, for the archive lacks writes of theirs from before then: ${shown.join(', ')}.${more} ` +
      'Wait until the outbox is empty, or replay from another region.',
  ];
}

function describeDamaged(damaged: readonly DamagedArchiveRow[]): string[] {
  return damaged.map(
    ({ partitionKey, rowKey, problem }) => `Left out ${partitionKey}/${rowKey}: ${problem}`,
  );
}
