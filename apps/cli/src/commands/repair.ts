import { applyRepair, planRepair, type PlannedRepair, type RepairPlan } from '@tandem/core';
import type { Cli, Outcome } from '../act.ts';
import { EXIT } from '../exit-codes.ts';
import { duration, wholeNumber } from '../option-values.ts';
import type { CliRegion } from '../regions/cli-region.ts';
import { readTombstoneAgeMs } from '../regions/region-setting.ts';
import { firstRows, textTable } from '../report/text-table.ts';
import type { Session } from '../session.ts';
import {
  RECHECK_EVERY_MS_DEFAULT,
  RECHECKS_DEFAULT,
  toJson,
  verify,
  type VerifyChoice,
} from './verify.ts';

interface RepairOptions extends VerifyChoice {
  readonly apply: boolean;
  readonly includeOld: boolean;
}

const SHOWN_MAX = 20;

export function addRepair({ program, act }: Cli): void {
  const command = program
    .command('repair')
    .description(
      'Makes the regions equal by joining their rows: nothing newer is overwritten. Shows the plan; ' +
        'writes with --apply.',
    )
    .option('--apply', 'does what the plan says', false)
    .option('--include-old', 'also what may have been deleted long ago', false)
    .option('--bucket <bucket>', 'only this bucket, 00 to ff')
    .option(
      '--rechecks <n>',
      'how often what differs is read again',
      wholeNumber(0, 1_000),
      RECHECKS_DEFAULT,
    )
    .option(
      '--recheck-every <duration>',
      'and how long after',
      duration(1),
      RECHECK_EVERY_MS_DEFAULT,
    );
  act<RepairOptions>(command, async (session, options) => {
    const regions = await session.open();
    const tombstoneAgeMs = await readTombstoneAgeMs(regions);
    const findPlan = async (): Promise<RepairPlan> => {
      const report = await verify(session, regions, options);
      const nowMs = session.io.clock.nowMs();
      const includesDoubtful = options.includeOld;
      return planRepair(report.differences, { nowMs, tombstoneAgeMs, includesDoubtful });
    };
    if (!options.apply) return showPlan(await findPlan());
    return session.alone(regions, () => apply(session, regions, findPlan));
  });
}

function showPlan(plan: RepairPlan): Outcome {
  const isIdle = isEmpty(plan);
  return {
    text: isIdle ? 'Nothing to repair: the regions are equal.' : describePlan(plan),
    json: { applied: false, ...planJson(plan) },
    exitCode: isIdle ? EXIT.ok : EXIT.finding,
  };
}

async function apply(
  session: Session,
  regions: readonly CliRegion[],
  findPlan: () => Promise<RepairPlan>,
): Promise<Outcome> {
  const plan = await findPlan();
  const written = await applyRepair({
    regions: regions.map(({ recovery }) => recovery),
    repairs: plan.repairs,
    onProgress: (done) => session.progress.update('repaired', done, plan.repairs.length),
  });
  const left = await findPlan();
  const isDone = isEmpty(left);
  const counts = [...written].map(([region, count]) => `${count} in ${region}`).join(', ');
  return {
    text: [
      `Rows written: ${counts === '' ? 'none' : counts}.`,
      isDone ? 'The regions are equal.' : describePlan(left),
    ].join('\n'),
    json: { applied: true, equal: isDone, written: Object.fromEntries(written), ...planJson(left) },
    exitCode: isDone ? EXIT.ok : EXIT.finding,
  };
}

function isEmpty({ repairs, doubtful }: RepairPlan): boolean {
  return repairs.length === 0 && doubtful.length === 0;
}

function describePlan({ repairs, doubtful }: RepairPlan): string {
  const [shown, more] = firstRows(repairs, SHOWN_MAX);
  const rows = shown.map(({ entityId, bucket, into, difference }) => [
    entityId,
    bucket,
    into.join(', '),
    difference.fields.map(({ name }) => name).join(', '),
  ]);
  return [
    ...(repairs.length === 0
      ? []
      : [
          textTable(['id', 'bucket', 'is written in', 'fields'], rows) + more,
          `${repairs.length} to repair. Run it again with --apply to do it.`,
        ]),
    ...doubtful.map(
      ({ entityId }) =>
        `${entityId} is missing in a region and older than every tombstone that is kept: lost, or ` +
        'deleted long ago? --include-old takes it for lost.',
    ),
  ].join('\n');
}

function planJson({ repairs, doubtful }: RepairPlan): object {
  return { repairs: repairs.map(repairJson), doubtful: doubtful.map(toJson) };
}

function repairJson({ into, difference }: PlannedRepair): object {
  return { ...toJson(difference), into };
}
