import { AppError, assertNever } from '../errors.ts';
import { type Horizons, latestHorizon } from '../model/horizons.ts';
import type { Clock } from '../ports/clock.ts';
import type { RecoveryRegion, RowScanner } from '../ports/recovery-region.ts';
import { readTombstones } from '../retention/retention-horizon.ts';
import { copyArchive } from './copy-archive.ts';
import type { Difference } from './difference.ts';
import { joinJournals, readKept, repairJournals } from './journals.ts';
import { applyRepair, joinEntities, planRepair } from './repair-regions.ts';
import { type DamagedArchiveRow, replayInto } from './replay.ts';
import {
  compareBucket,
  type DamagedRow,
  type Digest,
  type VerifyReport,
  verifyRegions,
} from './verify-regions.ts';

export type FillPhase = 'archive' | 'rows' | 'replay' | 'conflicts' | 'give-back' | 'prove';

export interface FillProgress {
  readonly phase: FillPhase;
  /** Rows or change sets of this phase so far. */
  readonly done: number;
}

export interface FillOptions {
  readonly target: RecoveryRegion;
  /** The regions that serve meanwhile; at least one. */
  readonly sources: readonly RecoveryRegion[];
  readonly clock: Clock;
  readonly createDigest: () => Digest;
  readonly tombstoneAgeMs: number;
  readonly recheckCountMax: number;
  readonly recheckDelayMs: number;
  readonly onProgress?: (progress: FillProgress) => void;
  readonly signal?: AbortSignal;
}

export interface FillReport {
  readonly archiveRowsCopied: number;
  readonly rowsWritten: number;
  /** Conflicts of the others that its journal was given. */
  readonly conflictsCopied: number;
  readonly damagedArchiveRows: readonly (DamagedArchiveRow & { readonly region: string })[];
  /** Says what the last round found; equal unless the rounds were used up, or nothing but doubtful rows is left. */
  readonly proof: VerifyReport;
  /** See `RepairPlan`: left alone, so that what was deleted long ago is not revived. */
  readonly doubtful: readonly Difference[];
}

/** What filling a region would begin with: rows are compared as they are, and nothing is written. */
export interface FillPlan {
  /** Counts rows, by region. */
  readonly rows: ReadonlyMap<string, number>;
  /** Entities whose rows are not the same in all of the regions. */
  readonly different: number;
  readonly damaged: readonly DamagedRow[];
}

/** Reads every row of the regions once. A region whose table is gone has none. */
export async function planFill(
  options: Pick<FillOptions, 'target' | 'sources' | 'clock' | 'createDigest' | 'tombstoneAgeMs'> & {
    readonly onRows?: (count: number) => void;
  },
): Promise<FillPlan> {
  const { target, sources, createDigest, clock, tombstoneAgeMs, onRows } = options;
  const rows = new Map<string, number>();
  const damaged: DamagedRow[] = [];
  let different = 0;
  const regions = [target, ...sources];
  const tombstones = await readTombstones(regions, clock.nowMs() - tombstoneAgeMs);
  for (const bucket of target.buckets) {
    const compared = await compareBucket(
      [{ ...target, rows: rowsIfThere(target.rows) }, ...sources],
      bucket,
      {
        createDigest,
        tombstones,
        onDifferent: async (entityIds) => void (different += entityIds.length),
        ...(onRows === undefined ? {} : { onRows }),
      },
    );
    for (const [region, count] of compared.rows) rows.set(region, (rows.get(region) ?? 0) + count);
    damaged.push(...compared.damaged);
  }
  return { rows, different, damaged };
}

function rowsIfThere(rows: RowScanner): RowScanner {
  return {
    async *scan(bucket) {
      try {
        yield* rows.scan(bucket);
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== 'TABLE_MISSING') throw error;
      }
    },
  };
}

/** Each round heals what was lost on the way during the one before; one is enough as a rule. */
const PROOF_ROUNDS_MAX = 5;
const PHASES: readonly Exclude<FillPhase, 'prove'>[] = [
  'archive',
  'rows',
  'replay',
  'conflicts',
  'give-back',
];

/**
 * Fills an empty or damaged region from the others while they serve, and gives them what only it still
 * holds. All of it is joins, so its own replicator may apply new changes meanwhile, and it may be
 * interrupted and repeated. The caller keeps the region from being ready until `proof.isEqual`.
 */
export async function fillRegion(options: FillOptions): Promise<FillReport> {
  const { target, sources, clock, createDigest, tombstoneAgeMs } = options;
  const tally: Tally = { archiveRows: 0, rows: 0, conflicts: 0, damaged: new Map() };
  for (const phase of PHASES) await runPhase(phase, options, tally);
  const regions = [target, ...sources];
  let proof: VerifyReport | undefined;
  let doubtful: readonly Difference[] = [];
  for (let round = 1; round <= PROOF_ROUNDS_MAX; round += 1) {
    options.signal?.throwIfAborted();
    let read = 0;
    proof = await verifyRegions({
      regions,
      buckets: target.buckets,
      clock,
      createDigest,
      tombstoneAgeMs,
      recheckCountMax: options.recheckCountMax,
      recheckDelayMs: options.recheckDelayMs,
      onRows: (count) => options.onProgress?.({ phase: 'prove', done: (read += count) }),
    });
    // What is damaged no round mends, and what was not described differs all the same.
    doubtful = [];
    if (proof.differentCount + proof.journals.differentCount === 0) break;
    const plan = planRepair(proof, { nowMs: proof.asOfMs, tombstoneAgeMs });
    ({ doubtful } = plan);
    if (plan.repairs.length + plan.conflicts.length === 0) break;
    const written = await applyRepair({ regions, repairs: plan.repairs });
    tally.rows += written.get(target.region) ?? 0;
    const { conflicts } = plan;
    const recorded = await repairJournals({ regions, conflicts });
    tally.conflicts += recorded.get(target.region) ?? 0;
  }
  return {
    archiveRowsCopied: tally.archiveRows,
    rowsWritten: tally.rows,
    conflictsCopied: tally.conflicts,
    damagedArchiveRows: [...tally.damaged.values()],
    proof: proof as VerifyReport,
    doubtful,
  };
}

interface Tally {
  archiveRows: number;
  rows: number;
  conflicts: number;
  /** By region and key: a row is met in several phases. */
  readonly damaged: Map<string, DamagedArchiveRow & { readonly region: string }>;
}

async function runPhase(
  phase: Exclude<FillPhase, 'prove'>,
  options: FillOptions,
  tally: Tally,
): Promise<void> {
  const { target, sources, onProgress, signal } = options;
  let done = 0;
  const advance = (count: number): void => onProgress?.({ phase, done: (done += count) });
  switch (phase) {
    case 'archive':
      await takeHorizon(target, sources);
      return eachBucket(options, async (bucket) => {
        for (const source of sources) {
          tally.archiveRows += await copyBetween(source, target, { bucket, tally, advance });
        }
      });
    case 'rows': {
      const tombstones = await takeTombstones(options);
      return eachBucket(options, (bucket) =>
        copyRows({ bucket, tombstones }, options, { tally, advance }),
      );
    }
    case 'replay':
      await replayInto({
        archive: target.archive,
        region: target.region,
        into: target.replica,
        conflicts: target.conflicts,
        buckets: target.buckets,
        span: target.idPrefix === undefined ? {} : { idPrefix: target.idPrefix },
        onDamaged: (row) => noteDamaged(tally, target, row),
        onProgress: ({ changeSets }) => onProgress?.({ phase, done: changeSets }),
        ...(signal === undefined ? {} : { signal }),
      });
      return;
    case 'conflicts': {
      const kept = await takeKept(options);
      return eachBucket(options, (bucket) =>
        joinConflictsOf(bucket, { ...options, kept }, { tally, advance }),
      );
    }
    case 'give-back':
      return eachBucket(options, async (bucket) => {
        for (const source of sources) {
          await copyBetween(target, source, { bucket, tally, advance });
        }
      });
    default:
      return assertNever(phase);
  }
}

/**
 * Before anything is copied: of what every source has trimmed the target gets no more than they kept. What one of
 * them still has whole is whole in what all of them give.
 */
async function takeHorizon(
  { archive, entityKind }: RecoveryRegion,
  sources: readonly RecoveryRegion[],
): Promise<void> {
  const horizons = await Promise.all(sources.map((one) => one.archive.horizons(entityKind)));
  const raise = async (ofSources: readonly (number | undefined)[], tableId?: string) => {
    const known = ofSources.filter((horizonMs) => horizonMs !== undefined);
    if (known.length < horizons.length) return;
    await archive.raiseHorizon(entityKind, Math.min(...known), tableId);
  };
  for (const tableId of new Set(horizons.flatMap(({ tables }) => [...tables.keys()]))) {
    await raise(
      horizons.map((one) => latestHorizon(one, tableId)),
      tableId,
    );
  }
  await raise(horizons.map(({ kindMs }) => kindMs));
}

/** Before rows are copied, which tombstones that one of the sources may have collected are not: the target has as few. */
async function takeTombstones({
  target,
  sources,
  clock,
  tombstoneAgeMs,
}: FillOptions): Promise<Horizons> {
  const tombstones = await readTombstones([target, ...sources], clock.nowMs() - tombstoneAgeMs);
  for (const [tableId, horizonMs] of tombstones.tables) {
    await target.tombstones?.raise(horizonMs, tableId);
  }
  return tombstones;
}

/** Before journals are joined: of what one of them has trimmed the target gets nothing, and says so. */
async function takeKept({ target, sources }: FillOptions): Promise<Horizons> {
  const kept = await readKept([target, ...sources]);
  for (const [tableId, keptMs] of kept.tables) await target.conflictsFrom?.raise(keptMs, tableId);
  if (kept.kindMs !== undefined) await target.conflictsFrom?.raise(kept.kindMs);
  return kept;
}

async function eachBucket(
  { target, signal }: FillOptions,
  work: (bucket: string) => Promise<void>,
): Promise<void> {
  for (const bucket of target.buckets) {
    signal?.throwIfAborted();
    await work(bucket);
  }
}

interface Step {
  readonly tally: Tally;
  readonly advance: (count: number) => void;
}

function copyBetween(
  from: RecoveryRegion,
  into: RecoveryRegion,
  { bucket, tally, advance }: Step & { readonly bucket: string },
): Promise<number> {
  return copyArchive({
    entityKind: from.entityKind,
    bucket,
    idPrefix: from.idPrefix,
    from: from.archive,
    into: into.archive,
    onDamaged: (row) => noteDamaged(tally, from, row),
    onRows: advance,
  });
}

/** What one has told and another had not got yet is told by nobody again: so all of them are joined. */
async function joinConflictsOf(
  bucket: string,
  { kept, target, sources }: FillOptions & { readonly kept: Horizons },
  { tally, advance }: Step,
): Promise<void> {
  const regions = [target, ...sources];
  const written = await joinJournals({ regions, bucket, kept, onJoined: advance });
  tally.conflicts += written.get(target.region) ?? 0;
}

/** Straight from the rows: each is written once, however often it was changed. */
async function copyRows(
  { bucket, tombstones }: { readonly bucket: string; readonly tombstones: Horizons },
  { target, sources, createDigest }: FillOptions,
  { tally, advance }: Step,
): Promise<void> {
  const regions = [target, ...sources];
  await compareBucket(regions, bucket, {
    createDigest,
    tombstones,
    async onDifferent(entityIds) {
      const into = [target.region];
      const written = await joinEntities({ regions, bucket, entityIds, into });
      tally.rows += written.get(target.region) ?? 0;
      advance(entityIds.length);
    },
  });
}

function noteDamaged(tally: Tally, { region }: RecoveryRegion, row: DamagedArchiveRow): void {
  const key = `${region}/${row.partitionKey}/${row.rowKey}`;
  tally.damaged.set(key, { ...row, region });
}
