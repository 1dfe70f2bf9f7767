import {
  bucketOf,
  type DamagedArchiveRow,
  planReplay,
  type PlannedReplay,
  replayInto,
  type ReplayMode,
  type ReplayPlan,
  type ReplaySpan,
} from '@tandem/core';
import {
  ARCHIVE_TABLE,
  CONFIGURATION_TABLE,
  CONFLICTS_TABLE,
  createTableReplica,
  openReplayTable,
  REPLICATION_TABLE,
  writeReplayRecord,
} from '@tandem/storage';
import type { Cli, Outcome } from '../act.ts';
import { EXIT } from '../exit-codes.ts';
import { pointInTime } from '../option-values.ts';
import type { CliRegion } from '../regions/cli-region.ts';
import { restoreEntities } from '../regions/restore-entities.ts';
import { firstRows, textTable } from '../report/text-table.ts';
import type { Session } from '../session.ts';
import { UsageError } from '../usage-error.ts';
import { toJson } from './verify.ts';

interface ReplayOptions {
  readonly from: string;
  readonly into?: string;
  readonly table?: string;
  readonly inPlace: boolean;
  readonly before?: number;
  readonly since?: number;
  readonly entity?: string;
  readonly bucket?: string;
  readonly skipDamaged: boolean;
  readonly apply: boolean;
}

const SHOWN_MAX = 20;
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
    .option('--skip-damaged', 'leaves out archive rows that cannot be read, and lists them', false)
    .option('--apply', 'writes', false)
    .addHelpText('after', HELP);
  act<ReplayOptions>(command, async (session, options) => {
    check(options, session.io.clock.nowMs());
    const source = await session.openOne(options.from);
    const target = options.into === undefined ? source : await session.openOne(options.into);
    const job: Job = { session, options, source, target, damaged: [], buckets: [] };
    const whole: Job = { ...job, buckets: bucketsOf(job) };
    if (!options.apply) return showPlan(await plan(whole), whole);
    return session.alone([target], () =>
      options.inPlace ? applyInPlace(whole) : applyToTable(whole),
    );
  });
}

const HELP = `
In place without --before, what the archive has is joined into the rows: what is missing comes back and
nothing newer is overwritten. In place with --before, the rows become what they were by new writes, which
all regions follow; what was not there then is deleted. --before is compared with the stamps of the writes.
An interrupted replay goes on with the same command.
`;

interface Job {
  readonly session: Session;
  readonly options: ReplayOptions;
  readonly source: CliRegion;
  readonly target: CliRegion;
  readonly buckets: readonly string[];
  readonly damaged: DamagedArchiveRow[];
  /** Left alone by a replay to a time. */
  readonly unarchived?: readonly string[];
}

function check({ table, inPlace, before, since }: ReplayOptions, nowMs: number): void {
  if ((table === undefined) === !inPlace) {
    throw new UsageError('Say where to: --table <name> or --in-place, one of them.');
  }
  for (const time of [before, since]) {
    if (time === undefined || time <= nowMs + FUTURE_MS_MAX) continue;
    throw new UsageError(`${new Date(time).toISOString()} is in the future.`);
  }
  if (before !== undefined && since !== undefined && since >= before) {
    throw new UsageError('--since is not before --before: nothing lies between them.');
  }
}

function bucketsOf({ options, source, target }: Job): readonly string[] {
  const { entity, bucket } = options;
  if (target.bucketCount !== source.bucketCount) {
    throw new UsageError('The two regions have different numbers of buckets.');
  }
  const { buckets } = source.recovery;
  if (entity !== undefined) return [bucketOf(entity, source.bucketCount)];
  if (bucket === undefined) return buckets;
  if (buckets.includes(bucket)) return [bucket];
  throw new UsageError(
    `There is no bucket "${bucket}"; there are ${buckets[0]} to ${buckets.at(-1)}.`,
  );
}

function spanOf({ entity, before, since }: ReplayOptions): ReplaySpan {
  return {
    ...(entity === undefined ? {} : { entityId: entity }),
    ...(before === undefined ? {} : { beforeMs: before }),
    ...(since === undefined ? {} : { fromMs: since }),
  };
}

function plan(job: Job): Promise<ReplayPlan> {
  const { session, options, source, target, buckets } = job;
  const mode: ReplayMode = options.inPlace && options.before === undefined ? 'join' : 'restore';
  let sets = 0;
  return planReplay({
    archive: source.recovery.archive,
    region: target.name,
    rows: target.recovery.rows,
    replica: target.recovery.replica,
    buckets,
    span: spanOf(options),
    mode,
    ...onDamaged(job),
    onSet() {
      session.io.signal.throwIfAborted();
      session.progress.update('change sets', (sets += 1));
    },
  });
}

function onDamaged({ options, damaged }: Job): { onDamaged?: (row: DamagedArchiveRow) => void } {
  return options.skipDamaged ? { onDamaged: (row) => void damaged.push(row) } : {};
}

async function applyToTable(job: Job): Promise<Outcome> {
  const { session, options, source, target, buckets } = job;
  const { table = '' } = options;
  const { store, bucketCount } = target;
  const { kind } = session;
  const ownTables = [
    kind.name,
    ARCHIVE_TABLE,
    CONFLICTS_TABLE,
    CONFIGURATION_TABLE,
    REPLICATION_TABLE,
  ];
  const content = JSON.stringify({ from: source.name, ...spanOf(options), buckets });
  const record = await openReplayTable(store, table, { content, ownTables });
  const bucketsDone = [...record.bucketsDone];
  const result = await replayInto({
    archive: source.recovery.archive,
    region: target.name,
    into: createTableReplica({ store, kind, bucketCount, table }),
    buckets: buckets.filter((bucket) => !bucketsDone.includes(bucket)),
    span: spanOf(options),
    ...onDamaged(job),
    onProgress: (at) => session.progress.update('change sets', at.changeSets),
    async onBucketDone(bucket) {
      bucketsDone.push(bucket);
      await writeReplayRecord(store, table, { content, bucketsDone });
    },
    signal: session.io.signal,
  });
  return done(job, `Replayed into table ${table} of ${target.name}`, {
    table,
    changeSets: result.changeSets,
    rowsWritten: result.rowsWritten,
  });
}

async function applyInPlace(job: Job): Promise<Outcome> {
  const { session, options, source, target, buckets } = job;
  if (options.before !== undefined) {
    const { changes, changeSets, unarchived } = await plan(job);
    const counts = await restoreEntities(changes, { session, region: target });
    return done({ ...job, unarchived }, `Restored in ${target.name}`, { changeSets, ...counts });
  }
  const result = await replayInto({
    archive: source.recovery.archive,
    region: target.name,
    into: target.recovery.replica,
    buckets,
    span: spanOf(options),
    ...onDamaged(job),
    onProgress: (at) => session.progress.update('change sets', at.changeSets),
    signal: session.io.signal,
  });
  return done(job, `Joined into the rows of ${target.name}`, {
    changeSets: result.changeSets,
    rowsWritten: result.rowsWritten,
  });
}

function done(
  { damaged, unarchived = [] }: Job,
  what: string,
  counts: Readonly<Record<string, number | string>>,
): Outcome {
  const text = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  return {
    text: [
      `${what}: ${text.join(', ')}.`,
      ...describeUnarchived(unarchived),
      ...describeDamaged(damaged),
    ].join('\n'),
    json: { applied: true, ...counts, unarchived, damaged },
    exitCode: damaged.length + unarchived.length === 0 ? EXIT.ok : EXIT.damaged,
  };
}

function showPlan(
  { changes, same, changeSets, unarchived }: ReplayPlan,
  { damaged }: Job,
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
      changes: changes.map(changeJson),
      unarchived,
      damaged,
    },
    exitCode: damaged.length + unarchived.length > 0 ? EXIT.damaged : EXIT.ok,
  };
}

function changeJson({ difference }: PlannedReplay): object {
  return toJson(difference);
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
