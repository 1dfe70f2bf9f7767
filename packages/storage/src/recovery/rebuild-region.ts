import {
  type FillOptions,
  type FillReport,
  fillRegion,
  type RecoveryRegion,
  type RegionHold,
  type TableStore,
  TerminalError,
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
  /** Names what is filled, where that is one table of clients; all of the region by default. */
  readonly only?: string;
  /** Asked for once all is prepared. */
  readonly tombstoneAgeMs: () => Promise<number>;
}

/**
 * Fills a region from the others while it is held, and lets it go once it is proven equal. Held before the
 * tables are made: one that is there and empty must not look caught up. Interrupted, it stays held, and the
 * same call goes on. Throws `RECOVERY_REFUSED` when somebody else has held it meanwhile.
 */
export async function rebuildRegion(options: RebuildRegionOptions): Promise<FillReport> {
  const { target, sources, prepare, only, tombstoneAgeMs, ...rest } = options;
  const what = only === undefined ? 'It' : `Its table ${only}`;
  const reason = `${what} is being filled from the others.`;
  if (only !== undefined) await refuseOtherHold(target.hold, reason);
  const hold = { reason, sinceMs: options.clock.nowMs() };
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
  // One table proves nothing of the others.
  if (only === undefined) await createTableProof(target).keep({ asOfMs, regions });
  await target.hold.release(hold);
  return report;
}

/** A region that lacks more than one table must not be let go once that one is filled. */
async function refuseOtherHold(hold: Pick<RegionHold, 'read'>, reason: string): Promise<void> {
  const held = await hold.read();
  if (held === undefined || held.reason === reason) return;
  throw new TerminalError(
    'RECOVERY_REFUSED',
    `The region is held: ${held.reason} Fill all of it with tandem rebuild-region without --table, which lets it go.`,
  );
}
