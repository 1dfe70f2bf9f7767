import { chunk } from '../concurrency/chunk.ts';
import { forEachBounded } from '../concurrency/for-each-bounded.ts';
import type { RecoveryRegion } from '../ports/recovery-region.ts';
import { decodeVector, newestStamp } from '../state/version-vector.ts';
import { stampTimeMs } from '../time/stamp.ts';
import type { Difference } from './difference.ts';
import { joinEntities } from './join-entities.ts';

export interface RepairPlan {
  readonly repairs: readonly PlannedRepair[];
  /**
   * Alive in one region, gone in another, and older than every tombstone that is kept: whether it was
   * lost there or deleted long ago cannot be told from the rows. Left alone unless asked for.
   */
  readonly doubtful: readonly Difference[];
}

export interface PlannedRepair {
  readonly bucket: string;
  readonly entityId: string;
  /** The regions whose row is not what it will be. */
  readonly into: readonly string[];
  readonly difference: Difference;
}

export interface PlanOptions {
  readonly nowMs: number;
  readonly tombstoneAgeMs: number;
  /** Treat what is doubtful as lost. */
  readonly includesDoubtful?: boolean;
}

/** What a repair would do about the differences that a verification found. Pure. */
export function planRepair(differences: readonly Difference[], options: PlanOptions): RepairPlan {
  const horizonMs = options.nowMs - options.tombstoneAgeMs;
  const isDoubtful = (difference: Difference): boolean =>
    options.includesDoubtful !== true && isOldAndMissing(difference, horizonMs);
  return {
    repairs: differences
      .filter((difference) => !isDoubtful(difference))
      .map((difference) => ({
        bucket: difference.bucket,
        entityId: difference.entityId,
        into: difference.behind,
        difference,
      })),
    doubtful: differences.filter(isDoubtful),
  };
}

function isOldAndMissing({ regions }: Difference, horizonMs: number): boolean {
  const states = Object.values(regions);
  if (states.every(({ life }) => life !== 'absent')) return false;
  return states
    .filter(({ life }) => life !== 'absent')
    .every(({ version }) => newestMs(version) < horizonMs);
}

function newestMs(version: string): number {
  const vector = decodeVector(version);
  const newest = vector === undefined ? undefined : newestStamp(vector);
  return newest === undefined ? 0 : stampTimeMs(newest);
}

export interface ApplyRepairOptions {
  readonly regions: readonly RecoveryRegion[];
  readonly repairs: readonly Pick<PlannedRepair, 'bucket' | 'entityId'>[];
  readonly onProgress?: (done: number) => void;
}

const BUCKETS_AT_ONCE_MAX = 4;
const BATCH_MAX = 100;

/**
 * Makes the rows equal by their join. May be interrupted at any point and repeated. Resolves with the
 * rows written by region.
 */
export async function applyRepair(
  options: ApplyRepairOptions,
): Promise<ReadonlyMap<string, number>> {
  const written = new Map<string, number>();
  let done = 0;
  const work = [...Map.groupBy(options.repairs, ({ bucket }) => bucket)].flatMap(([bucket, own]) =>
    chunk(own, { countMax: BATCH_MAX }).map((part) => ({ bucket, part })),
  );
  await forEachBounded(work, BUCKETS_AT_ONCE_MAX, async ({ bucket, part }) => {
    const entityIds = part.map(({ entityId }) => entityId);
    const counts = await joinEntities({ regions: options.regions, bucket, entityIds });
    for (const [region, count] of counts) written.set(region, (written.get(region) ?? 0) + count);
    done += part.length;
    options.onProgress?.(done);
  });
  return written;
}
