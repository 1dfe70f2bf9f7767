import type { Clock, ReplicationStatus } from '@tandem/core';
import { judgeReceipt, type RegionReceipt } from './judge-receipt.ts';
import type { WriteReceipt } from './receipt-token.ts';

/** Tells where a write has been applied. */
export interface Receipts {
  /**
   * As soon as every region has applied the write, or none but those that this region is not told
   * of is left; or after `waitMs`. The region's own row contains the write. Throws what reading throws.
   */
  whereApplied(receipt: WriteReceipt, waitMs: number): Promise<readonly RegionReceipt[]>;
}

export interface ReceiptsOptions {
  readonly region: string;
  readonly peers: readonly string[];
  readonly status: Pick<ReplicationStatus, 'read'>;
  readonly clock: Clock;
  /** Asked for each time: the setting may be refreshed. */
  readonly skewMsMax: () => number;
  /** Once it is aborted nobody waits any longer. */
  readonly stopping?: AbortSignal | undefined;
}

/** Peers give their word about once a second. */
const LOOK_EVERY_MS = 250;

export function createReceipts(options: ReceiptsOptions): Receipts {
  const { region, peers, status, clock, skewMsMax, stopping } = options;
  const look = async (receipt: WriteReceipt): Promise<readonly RegionReceipt[]> => {
    const progress = peers.length === 0 ? [] : ((await status.read())?.peers ?? []);
    return judgeReceipt(receipt, { region, peers, progress, skewMsMax: skewMsMax() });
  };
  return {
    async whereApplied(receipt, waitMs) {
      const endMs = clock.nowMs() + waitMs;
      for (;;) {
        const regions = await look(receipt);
        const leftMs = endMs - clock.nowMs();
        const isPending = regions.some(({ state }) => state === 'pending');
        if (!isPending || leftMs <= 0 || stopping?.aborted) return regions;
        await clock.sleep(Math.min(LOOK_EVERY_MS, leftMs), stopping);
      }
    },
  };
}
