import {
  countReplay,
  type DamagedArchiveRow,
  findArchiveStart,
  isReplicated,
  planReplay,
  type ReplayMode,
  type ReplayPlan,
  type ReplaySpan,
  readTombstones,
  replayInPlace,
} from '@tandem/core';
import { replayIntoTable, restoreEntities } from '@tandem/storage';
import type { Cli, Outcome } from '../act.ts';
import { NotFoundError, UsageError } from '../exit-codes.ts';
import { pointInTime } from '../option-values.ts';
import {
  idPrefixOf,
  readRowId,
  refuseCatalogue,
  requireReplicated,
  withRow,
} from '../regions/choose-kind.ts';
import { openPeers, openRestoring, requireNamed } from '../regions/open-writer.ts';
import { type CliRegion, chooseBuckets, readTombstoneAgeMs } from '../regions/region.ts';
import { requireConfirmation } from '../regions/require-confirmation.ts';
import { describeReplay, describeReplayPlan } from '../report/describe-recovery.ts';
import { timeText } from '../report/text-table.ts';
import type { Session } from '../session.ts';

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
  const { from, into = from } = options;
  if (into !== from) requireReplicated(session, `None of ${from} go into ${into}.`);
  const source = await session.openOne(options.from);
  const target = options.into === undefined ? source : await session.openOne(options.into);
  const buckets = bucketsOf(session, options, { source, target });
  const isSpread = isJoin(options) && isReplicated(session.kind.name);
  const given = isSpread ? await openPeers(session, target) : { peers: [], outOfReach: [] };
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

interface ReplayOptions {
  readonly from: string;
  readonly into?: string;
  readonly table?: string;
  readonly inPlace: boolean;
  readonly before?: number;
  readonly since?: number;
  readonly entity?: string;
  readonly row?: string;
  readonly partition?: string;
  /** Whose rows. */
  readonly of?: string;
  readonly bucket?: string;
  readonly skipDamaged: boolean;
  /** Allows a time before the first record of the archive, which leads to nothing. */
  readonly beforeArchive: boolean;
  /** The name of the region in which rows are deleted. */
  readonly confirm?: string;
  readonly apply: boolean;
}

/** Says of one replay whose archive it reads, where it writes, and how much of it. */
interface ReplayJob {
  readonly session: Session;
  readonly options: ReplayOptions;
  readonly source: CliRegion;
  readonly target: CliRegion;
  /** The other regions, which are given what comes back in place. */
  readonly peers: readonly CliRegion[];
  /** Regions that should be among the peers. */
  readonly outOfReach: readonly string[];
  readonly buckets: readonly string[];
  /** Grows while the archive is read. */
  readonly damaged: DamagedArchiveRow[];
}

/** Tells whether it goes in place, and not to a time: then nothing is undone. */
function isJoin({ inPlace, before }: ReplayOptions): boolean {
  return inPlace && before === undefined;
}

function spanOf({ session, options }: ReplayJob): ReplaySpan {
  const { entity, before, since } = options;
  const idPrefix = idPrefixOf(session, options);
  return {
    ...(entity === undefined ? {} : { entityId: entity }),
    ...(idPrefix === undefined ? {} : { idPrefix }),
    ...(before === undefined ? {} : { beforeMs: before }),
    ...(since === undefined ? {} : { fromMs: since }),
  };
}

async function planJob(job: ReplayJob): Promise<ReplayPlan> {
  const { session, options, source, target, peers, buckets } = job;
  const mode: ReplayMode = isJoin(options) ? 'join' : 'restore';
  let sets = 0;
  return planReplay({
    archive: source.recovery.archive,
    region: target.name,
    rows: target.recovery.rows,
    replica: target.recovery.replica,
    buckets,
    span: spanOf(job),
    mode,
    tombstones: await readTombstones(
      [target, ...peers].map(({ recovery }) => recovery),
      await horizonOf(job),
    ),
    ...onDamaged(job),
    onSet() {
      session.io.signal.throwIfAborted();
      session.progress.update('change sets', (sets += 1));
    },
  });
}

async function horizonOf({ session, target, peers }: ReplayJob): Promise<number> {
  return session.io.clock.nowMs() - (await readTombstoneAgeMs([target, ...peers]));
}

function onDamaged({ options, damaged }: ReplayJob): {
  onDamaged?: (row: DamagedArchiveRow) => void;
} {
  return options.skipDamaged ? { onDamaged: (row) => void damaged.push(row) } : {};
}

async function applyToTable(job: ReplayJob): Promise<Outcome> {
  const { session, options, source, target, buckets } = job;
  const { table = '' } = options;
  const { kind, io, progress } = session;
  const result = await replayIntoTable({
    archive: source.recovery.archive,
    source: source.name,
    target: { ...target, kind },
    table,
    buckets,
    span: spanOf(job),
    ...onDamaged(job),
    onProgress: (at) => progress.update('change sets', at.changeSets),
    signal: io.signal,
  });
  return describeReplay(job, job, {
    what: `Replayed into table ${table} of ${target.name}`,
    counts: { table, changeSets: result.changeSets, rowsWritten: result.rowsWritten },
  });
}

async function applyInPlace(job: ReplayJob): Promise<Outcome> {
  const { session, options, source, target, peers, buckets } = job;
  if (options.before !== undefined) {
    requireNamed(session);
    const { changes, changeSets, unarchived } = await planJob(job);
    session.progress.end();
    const { deleted } = countReplay(changes);
    if (deleted > 0) {
      const { kind, table } = session;
      const follows = isReplicated(kind.name) ? ', which every region follows' : '';
      const what = `delete ${deleted} of ${table?.name ?? kind.name} in ${target.name}${follows}`;
      await requireConfirmation(session, { region: target.name, what, given: options.confirm });
    }
    const { leftAlone, ...counts } = await restoreEntities(changes, {
      table: await openRestoring(target, session),
      onProgress: (done) => session.progress.update('restored', done, changes.length),
      signal: session.io.signal,
    });
    const findings = { damaged: job.damaged, unarchived, leftAlone };
    return describeReplay(job, findings, {
      what: `Restored in ${target.name}`,
      counts: { changeSets, ...counts, changedMeanwhile: leftAlone.length },
    });
  }
  const result = await replayInPlace({
    archive: source.recovery.archive,
    source: source.name,
    target: target.recovery,
    peers: peers.map(({ recovery }) => recovery),
    buckets,
    span: spanOf(job),
    horizonMs: await horizonOf(job),
    ...onDamaged(job),
    onProgress: (at) => session.progress.update('change sets', at.changeSets),
    signal: session.io.signal,
  });
  const where = [target, ...peers].map(({ name }) => name).join(', ');
  return describeReplay(job, job, {
    what: `Joined into the rows of ${where}`,
    counts: { changeSets: result.changeSets, rowsWritten: result.rowsWritten },
  });
}
