import {
  type FillOptions,
  type FillReport,
  fillRegion,
  type RecoveryRegion,
  type RegionHold,
  type TableStore,
} from '@tandem/core';
import { createTableProof } from '../status/status-tables.ts';

export interface RebuildRegionOptions
  extends Omit<FillOptions, 'target' | 'sources' | 'tombstoneAgeMs'> {
  readonly target: {
    readonly recovery: RecoveryRegion;
    readonly store: TableStore;
    readonly hold: RegionHold;
  };
  readonly sources: readonly RecoveryRegion[];
  /** Makes what is missing of tables and settings; called when the region is held. */
  readonly prepare: () => Promise<void>;
  /** Asked for once all is prepared. */
  readonly tombstoneAgeMs: () => Promise<number>;
}

/**
 * Fills a region from the others while it is held, and lets it go once it is proven equal. Held before the
 * tables are made: one that is there and empty must not look caught up. Interrupted, it stays held, and the
 * same call goes on. Throws `RECOVERY_REFUSED` when somebody else has held it meanwhile.
 */
export async function rebuildRegion(options: RebuildRegionOptions): Promise<FillReport> {
  const { target, sources, prepare, tombstoneAgeMs, ...rest } = options;
  const hold = { reason: 'It is being filled from the others.', sinceMs: options.clock.nowMs() };
  await target.hold.set(hold);
  await prepare();
  const report = await fillRegion({
    ...rest,
    target: target.recovery,
    sources,
    tombstoneAgeMs: await tombstoneAgeMs(),
  });
  const { isEqual, asOfMs } = report.proof;
  if (!isEqual) return report;
  const regions = [target.recovery, ...sources].map(({ region }) => region);
  await createTableProof(target).keep({ asOfMs, regions });
  await target.hold.release(hold);
  return report;
}
