import {
  type Clock,
  type Lease,
  type Randomness,
  type ReplicationStatus,
  tombstoneHorizonMs,
} from '@tandem/core';
import type { Logger } from '@tandem/service-kit';
import type { Duty } from './duty.ts';

export interface TombstoneDutyOptions {
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly logger: Logger;
  readonly status: Pick<ReplicationStatus, 'read'>;
  readonly peers: readonly string[];
  /** Another than the sweep's: keeps several replicators from reading the same tables for nothing. */
  readonly lease: Lease;
  /** What the apply loop refuses by: not to be changed while the process runs. */
  readonly ageMs: number;
  /** Deletes the tombstones stamped before the horizon; resolves with how many. */
  readonly collect: (horizonMs: number, signal: AbortSignal) => Promise<number>;
}

const INTERVAL_MS = 3_600_000;
/** Shorter than the interval at its shortest, so that whoever held it last can take it again. */
const LEASE_MS = INTERVAL_MS / 2;

/** Deletes what has been deleted for long enough, and only while no peer is behind. */
export function createTombstoneDuty(options: TombstoneDutyOptions): Duty {
  const { clock, logger, status, peers } = options;
  return {
    name: 'tombstones',
    intervalMs: () => INTERVAL_MS,
    // It reads every row, so a process that restarts often does not begin with it each time.
    firstDelayMs: Math.round(INTERVAL_MS * options.randomness.fraction()),
    isNeededForReady: false,
    // It takes as long as the tables are large.
    stallMs: undefined,
    async turn(signal) {
      if (!(await options.lease.acquire(LEASE_MS))) return;
      const progress = peers.length === 0 ? undefined : await status.read();
      const passedMs = peers.map(
        (name) => progress?.peers.find(({ peer }) => peer === name)?.passedMs,
      );
      const horizonMs = tombstoneHorizonMs({
        nowMs: clock.nowMs(),
        ageMs: options.ageMs,
        passedMs,
      });
      if (horizonMs === undefined) {
        const unheard = peers.filter((_, index) => passedMs[index] === undefined);
        logger.info(
          { event: 'tombstones-kept', peers: unheard },
          'No tombstone is collected before every peer was heard.',
        );
        return;
      }
      const collected = await options.collect(horizonMs, signal);
      logger.info(
        { event: 'tombstones-collected', collected, horizonMs },
        'Old tombstones were collected.',
      );
    },
  };
}
