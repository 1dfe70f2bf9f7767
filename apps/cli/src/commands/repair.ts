import {
  applyRepair,
  type PlannedRepair,
  planRepair,
  type RepairPlan,
  repairJournals,
  type VerifyReport,
} from '@tandem/core';
import type { Cli, Outcome } from '../act.ts';
import { exitCodeOfProof } from '../exit-codes.ts';
import { withRechecks } from '../option-values.ts';
import { requireReplicated, withClientTable } from '../regions/choose-kind.ts';
import { proveEqual, type VerifyChoice } from '../regions/prove-equal.ts';
import type { CliRegion } from '../regions/region.ts';
import { readTombstoneAgeMs } from '../regions/region.ts';
import {
  conflictDifferenceJson,
  describeConflictDifferences,
  describeDamagedRow,
  differenceJson,
  idText,
} from '../report/describe-verify.ts';
import { escapeValue } from '../report/escape-text.ts';
import { firstRows, textTable } from '../report/text-table.ts';
import type { Session } from '../session.ts';

interface RepairOptions extends VerifyChoice {
  readonly apply: boolean;
  readonly includeOld: boolean;
}

/** A plan, and what it is made on: rows that are damaged, or too many to be listed, are in no plan. */
interface Found {
  readonly plan: RepairPlan;
  readonly report: VerifyReport;
}

const SHOWN_MAX = 20;

export function addRepair({ program, act }: Cli): void {
  const command = program
    .command('repair')
    .description(
      'Makes the regions equal by joining their rows and their journals of conflicts: nothing newer is ' +
        'overwritten. Shows the plan; writes with --apply.',
    )
    .option('--apply', 'does what the plan says', false)
    .option('--include-old', 'also what may have been deleted long ago', false)
    .option('--bucket <bucket>', 'only this bucket, 00 to ff');
  act<RepairOptions>(withClientTable(withRechecks(command)), async (session, options) => {
    requireReplicated(session, 'They are not to be joined.');
    const regions = await session.open();
    const tombstoneAgeMs = await readTombstoneAgeMs(regions);
    const find = async (): Promise<Found> => {
      const report = await proveEqual(session, regions, options);
      const nowMs = session.io.clock.nowMs();
      const includesDoubtful = options.includeOld;
      const plan = planRepair(report, { nowMs, tombstoneAgeMs, includesDoubtful });
      return { plan, report };
    };
    if (!options.apply) return showPlan(await find());
    return session.alone(regions, () => apply(session, regions, find));
  });
}

function showPlan(found: Found): Outcome {
  return {
    text: found.report.isEqual
      ? 'Nothing to repair: the regions are equal.'
      : describeFound(found, 'Run it again with --apply to do it.'),
    json: { applied: false, ...foundJson(found) },
    exitCode: exitCodeOfProof(found.report),
  };
}

async function apply(
  session: Session,
  regions: readonly CliRegion[],
  find: () => Promise<Found>,
): Promise<Outcome> {
  const { plan } = await find();
  const recoveries = regions.map(({ recovery }) => recovery);
  const show = (label: string, total: number) => (done: number) => {
    session.io.signal.throwIfAborted();
    session.progress.update(label, done, total);
  };
  const written = await applyRepair({
    regions: recoveries,
    repairs: plan.repairs,
    onProgress: show('repaired', plan.repairs.length),
  });
  const recorded = await repairJournals({
    regions: recoveries,
    conflicts: plan.conflicts,
    onProgress: show('conflicts joined', plan.conflicts.length),
  });
  const left = await find();
  return {
    text: [
      `Rows written: ${countsByRegion(written)}.`,
      ...(recorded.size > 0 ? [`Conflicts recorded: ${countsByRegion(recorded)}.`] : []),
      left.report.isEqual ? 'The regions are equal.' : describeFound(left, 'Run it again.'),
    ].join('\n'),
    json: {
      applied: true,
      written: Object.fromEntries(written),
      conflictsWritten: Object.fromEntries(recorded),
      ...foundJson(left),
    },
    exitCode: exitCodeOfProof(left.report),
  };
}

function countsByRegion(counts: ReadonlyMap<string, number>): string {
  const texts = [...counts].map(([region, count]) => `${count} in ${region}`);
  return texts.length === 0 ? 'none' : texts.join(', ');
}

function describeFound({ plan, report }: Found, remedy: string): string {
  const { journals } = report;
  const more = (what: string, count: number): string[] =>
    count > 0 ? [`${count} more ${what} differ than were described: repeat it until none do.`] : [];
  return [
    ...more('rows', report.differentCount - report.differences.length),
    ...more('conflicts', journals.differentCount - journals.differences.length),
    ...report.damaged.map(describeDamagedRow),
    ...describePlan(plan, remedy),
  ].join('\n');
}

function describePlan({ repairs, doubtful, conflicts }: RepairPlan, remedy: string): string[] {
  const [shown, more] = firstRows(repairs, SHOWN_MAX);
  const rows = shown.map(({ entityId, bucket, into, difference }) => [
    idText(entityId),
    bucket,
    into.join(', '),
    difference.fields.map(({ name }) => name).join(', '),
  ]);
  return [
    ...(repairs.length === 0
      ? []
      : [
          textTable(['id', 'bucket', 'is written in', 'fields'], rows) + more,
          `${repairs.length} to repair. ${remedy}`,
        ]),
    ...describeConflictDifferences(conflicts, 'is recorded in'),
    ...(conflicts.length === 0 ? [] : [`${conflicts.length} to record. ${remedy}`]),
    ...doubtful.map(
      ({ entityId }) =>
        `${escapeValue(idText(entityId))} is missing in a region and older than every tombstone that is kept: lost, or ` +
        'deleted long ago? --include-old takes it for lost.',
    ),
  ];
}

function foundJson({ plan, report }: Found): object {
  return {
    equal: report.isEqual,
    different: report.differentCount,
    repairs: plan.repairs.map(repairJson),
    doubtful: plan.doubtful.map(differenceJson),
    conflicts: plan.conflicts.map(conflictDifferenceJson),
    damaged: report.damaged,
  };
}

function repairJson({ into, difference }: PlannedRepair): object {
  return { ...differenceJson(difference), into };
}
