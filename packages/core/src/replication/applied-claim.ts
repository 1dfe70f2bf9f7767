import { believedPeers } from '../arrival/claims.ts';
import { AppError } from '../errors.ts';
import type { ChangeReceiver } from '../ports/change-receiver.ts';
import type { Clock } from '../ports/clock.ts';
import type { RegionHold } from '../ports/region-hold.ts';
import type { ReplicationStatus } from '../ports/replication-status.ts';

/**
 * What this region may tell each peer that it has applied of the peer's: the time of the peer's
 * newest watermark that it has passed. Nothing while a dead letter lies in its queue, since what was
 * passed may be what lies there, nor while the region is held, since it may have lost what it had
 * applied; nothing either while that cannot be found out. Never throws.
 */
export type AppliedClaim = () => Promise<ReadonlyMap<string, number>>;

export interface AppliedClaimOptions {
  readonly status: Pick<ReplicationStatus, 'read'>;
  readonly receiver: Pick<ChangeReceiver, 'countDeadLetters'>;
  readonly hold?: Pick<RegionHold, 'read'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly driftMsMax?: number;
}

export function createAppliedClaim(options: AppliedClaimOptions): AppliedClaim {
  const { status, receiver, hold, clock, driftMsMax } = options;
  return async () => {
    try {
      const progress = await status.read();
      // After the watermarks were read: what was dead-lettered before they were passed is seen.
      const isAnyDead = (await receiver.countDeadLetters(1)) > 0;
      const isHeld = (await hold?.read()) !== undefined;
      const peers =
        isAnyDead || isHeld ? [] : believedPeers(progress, { nowMs: clock.nowMs(), driftMsMax });
      return new Map(
        peers.flatMap(({ peer, passedMs }): [string, number][] =>
          passedMs === undefined ? [] : [[peer, passedMs]],
        ),
      );
    } catch (error) {
      if (error instanceof AppError) return new Map();
      throw error;
    }
  };
}
