import {
  countReplay,
  type DamagedArchiveRow,
  planReplay,
  type ReplayMode,
  type ReplayPlan,
  type ReplaySpan,
  readTombstones,
  replayInPlace,
} from '@tandem/core';
import { replayIntoTable, restoreEntities } from '@tandem/storage';
import type { Outcome } from '../act.ts';
import { idPrefixOf } from '../regions/choose-kind.ts';
import { openRestoring, requireNamed } from '../regions/open-writer.ts';
import type { CliRegion } from '../regions/region.ts';
import { readTombstoneAgeMs } from '../regions/region.ts';
import { requireConfirmation } from '../regions/require-confirmation.ts';
import { describeReplay } from '../report/describe-replay.ts';
import type { Session } from '../session.ts';

export interface ReplayOptions {
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
  /** To a time before the first record of the archive: to nothing. */
  readonly beforeArchive: boolean;
  /** The name of the region in which rows are deleted. */
  readonly confirm?: string;
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

/** Tells whether it goes in place, and not to a time: then nothing is undone. */
export function isJoin({ inPlace, before }: ReplayOptions): boolean {
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

export async function planJob(job: ReplayJob): Promise<ReplayPlan> {
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

export async function applyToTable(job: ReplayJob): Promise<Outcome> {
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

export async function applyInPlace(job: ReplayJob): Promise<Outcome> {
  const { session, options, source, target, peers, buckets } = job;
  if (options.before !== undefined) {
    requireNamed(session);
    const { changes, changeSets, unarchived } = await planJob(job);
    session.progress.end();
    const { deleted } = countReplay(changes);
    if (deleted > 0) {
      const what = `delete ${deleted} of ${session.table?.name ?? session.kind.name} in ${target.name}, which every region follows`;
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
