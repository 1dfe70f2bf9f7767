import { findArchiveStart, type ReplayPlan } from '@tandem/core';
import type { Cli, Outcome } from '../act.ts';
import { pointInTime } from '../option-values.ts';
import { idPrefixOf, readRowId, refuseCatalogue, withRow } from '../regions/choose-kind.ts';
import { openPeers } from '../regions/open-writer.ts';
import { type CliRegion, chooseBuckets } from '../regions/region.ts';
import {
  applyInPlace,
  applyToTable,
  isJoin,
  planJob,
  type ReplayJob,
  type ReplayOptions,
} from '../replay/replay-job.ts';
import { describeReplayPlan } from '../report/describe-replay.ts';
import { timeText } from '../report/text-table.ts';
import type { Session } from '../session.ts';
import { NotFoundError, UsageError } from '../usage-error.ts';

/** Clocks differ; nobody means to replay what is not written yet. */
const FUTURE_MS_MAX = 60_000;

export function addReplay({ program, act }: Cli): void {
  const command = program
    .command('replay')
    .description(
      'Rebuilds rows from the archive of a region, all or some, as of now or of a point in time. Shows ' +
        'the difference to the live rows; writes with --apply.',
    )
    .requiredOption('--from <region>', 'whose archive')
    .option('--into <region>', 'where the rows go; the same region by default')
    .option('--table <name>', 'into a table of its own, made for it')
    .option('--in-place', 'into the live table', false)
    .option('--before <time>', 'what was written before: 2026-11-22T10:00:00Z', pointInTime)
    .option('--since <time>', 'what was written from then on', pointInTime)
    .option('--entity <id>', 'only this one')
    .option('--bucket <bucket>', 'only this bucket, 00 to ff')
    .option('--before-archive', 'to a time before the first record: to nothing', false)
    .option('--confirm <region>', 'the region in which rows are deleted; asked for on a terminal')
    .option('--skip-damaged', 'leaves out archive rows that cannot be read, and lists them', false)
    .option('--apply', 'writes', false)
    .addHelpText('after', HELP);
  // `--table` is where to.
  act<ReplayOptions>(
    withRow(command, '--of'),
    async (session, options) => {
      check(options, session.io.clock.nowMs());
      if (options.inPlace && options.before !== undefined) refuseCatalogue(session, 'undone');
      // A PartitionKey alone names rows, and with a RowKey one of them.
      const isOne = options.entity !== undefined || options.row !== undefined;
      const entity = isOne ? { entity: readRowId(session, options.entity, options) } : {};
      return replay(session, { ...options, ...entity });
    },
    ({ of }) => of,
  );
}

async function replay(session: Session, options: ReplayOptions): Promise<Outcome> {
  const source = await session.openOne(options.from);
  const target = options.into === undefined ? source : await session.openOne(options.into);
  const buckets = bucketsOf(session, options, { source, target });
  const given = isJoin(options) ? await openPeers(session, target) : { peers: [], outOfReach: [] };
  await refuseBeforeArchive(source, options);
  const job: ReplayJob = { session, options, source, target, buckets, ...given, damaged: [] };
  if (!options.apply || options.entity !== undefined) {
    const planned = { ...job, damaged: [] };
    const plan = await planJob(planned);
    if (options.entity !== undefined) requireKnown(options.entity, plan, source);
    if (!options.apply) return describeReplayPlan(plan, planned);
  }
  // The source too: nobody trims an archive while it is replayed.
  const others = [target, ...given.peers].filter(({ name }) => name !== source.name);
  return session.alone([source, ...others], () =>
    options.inPlace ? applyInPlace(job) : applyToTable(job),
  );
}

/** Refuses a time from which nothing is recorded: to have been nothing looks the same. */
async function refuseBeforeArchive(
  { name, recovery }: CliRegion,
  { before, beforeArchive }: ReplayOptions,
): Promise<void> {
  if (before === undefined || beforeArchive) return;
  const { archive, entityKind, buckets } = recovery;
  const startMs = await findArchiveStart(archive, { entityKind, buckets });
  if (startMs !== undefined && before > startMs) return;
  const begins = startMs === undefined ? 'is empty' : `begins at ${timeText(startMs)}`;
  throw new UsageError(
    `The archive of ${name} ${begins}, and nothing in it tells how it was before ${timeText(before)}. ` +
      'To go back to nothing at all say --before-archive.',
  );
}

function requireKnown(entity: string, plan: ReplayPlan, { name }: CliRegion): void {
  if (plan.same + plan.changes.length + plan.unarchived.length > 0) return;
  throw new NotFoundError(
    `Neither the archive of ${name}, in the span that is replayed, nor the rows have ${entity}.`,
  );
}

const HELP = `
In place without --before, what the archive has is joined into the rows: what is missing comes back, in
the other regions too, and nothing newer is overwritten. In place with --before, the rows become what they were by new writes, which
all regions follow; what was not there then is deleted, once the region is named with --confirm. --before is
compared with the stamps of the writes. Who writes meanwhile is not overwritten: it is left alone and listed.
An interrupted replay goes on with the same command.
`;

function check({ table, inPlace, before, since }: ReplayOptions, nowMs: number): void {
  if ((table === undefined) === !inPlace) {
    throw new UsageError('Say where to: --table <name> or --in-place, one of them.');
  }
  for (const time of [before, since]) {
    if (time === undefined || time <= nowMs + FUTURE_MS_MAX) continue;
    throw new UsageError(`${timeText(time)} is in the future.`);
  }
  if (before !== undefined && since !== undefined && since >= before) {
    throw new UsageError('--since is not before --before: nothing lies between them.');
  }
}

function bucketsOf(
  session: Session,
  options: ReplayOptions,
  { source, target }: { readonly source: CliRegion; readonly target: CliRegion },
): readonly string[] {
  const { entity, bucket } = options;
  if (target.bucketCount !== source.bucketCount) {
    throw new UsageError('The two regions have different numbers of buckets.');
  }
  if (entity !== undefined) return [source.recovery.replica.bucketOf(entity)];
  const prefix = options.partition === undefined ? undefined : idPrefixOf(session, options);
  // All rows of a PartitionKey lie in one bucket.
  if (prefix !== undefined) return [source.recovery.replica.bucketOf(prefix)];
  return chooseBuckets(source.recovery.buckets, bucket);
}
