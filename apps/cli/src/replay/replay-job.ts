import {
  type DamagedArchiveRow,
  planReplay,
  replayInPlace,
  replayInto,
  type ReplayMode,
  type ReplayPlan,
  type ReplaySpan,
} from '@tandem/core';
import {
  ARCHIVE_TABLE,
  CONFIGURATION_TABLE,
  CONFLICTS_TABLE,
  createRowMemory,
  createTableReplica,
  openReplayTable,
  REPLICATION_TABLE,
  writeReplayRecord,
} from '@tandem/storage';
import type { Outcome } from '../act.ts';
import { describeReplay } from '../report/describe-replay.ts';
import type { Session } from '../session.ts';
import type { CliRegion } from '../regions/cli-region.ts';
import { readTombstoneAgeMs } from '../regions/region-setting.ts';
import { restoreEntities } from '../regions/restore-entities.ts';

/** Nothing here is written from memory. */
const LITTLE = { bytesMax: 1024 * 1024 };

export interface ReplayOptions {
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

/** One replay: whose archive, where to, and how much of it. */
export interface ReplayJob {
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

/** In place, and not to a time: nothing is undone. */
export function isJoin({ inPlace, before }: ReplayOptions): boolean {
  return inPlace && before === undefined;
}

function spanOf({ entity, before, since }: ReplayOptions): ReplaySpan {
  return {
    ...(entity === undefined ? {} : { entityId: entity }),
    ...(before === undefined ? {} : { beforeMs: before }),
    ...(since === undefined ? {} : { fromMs: since }),
  };
}

export async function planJob(job: ReplayJob): Promise<ReplayPlan> {
  const { session, options, source, target, buckets } = job;
  const mode: ReplayMode = isJoin(options) ? 'join' : 'restore';
  let sets = 0;
  return planReplay({
    archive: source.recovery.archive,
    region: target.name,
    rows: target.recovery.rows,
    replica: target.recovery.replica,
    buckets,
    span: spanOf(options),
    mode,
    horizonMs: await horizonOf(job),
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

export async function applyToTable(job: ReplayJob): Promise<Outcome> {
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
    into: createTableReplica({ store, kind, bucketCount, table, memory: createRowMemory(LITTLE) }),
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
  return describeReplay(job, `Replayed into table ${table} of ${target.name}`, {
    table,
    changeSets: result.changeSets,
    rowsWritten: result.rowsWritten,
  });
}

export async function applyInPlace(job: ReplayJob): Promise<Outcome> {
  const { session, options, source, target, peers, buckets } = job;
  if (options.before !== undefined) {
    const { changes, changeSets, unarchived } = await planJob(job);
    const counts = await restoreEntities(changes, { session, region: target });
    const findings = { damaged: job.damaged, unarchived };
    return describeReplay(findings, `Restored in ${target.name}`, { changeSets, ...counts });
  }
  const result = await replayInPlace({
    archive: source.recovery.archive,
    source: source.name,
    target: target.recovery,
    peers: peers.map(({ recovery }) => recovery),
    buckets,
    span: spanOf(options),
    horizonMs: await horizonOf(job),
    ...onDamaged(job),
    onProgress: (at) => session.progress.update('change sets', at.changeSets),
    signal: session.io.signal,
  });
  const where = [target, ...peers].map(({ name }) => name).join(', ');
  return describeReplay(job, `Joined into the rows of ${where}`, {
    changeSets: result.changeSets,
    rowsWritten: result.rowsWritten,
  });
}
