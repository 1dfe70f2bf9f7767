import type { EntityKind } from '@tandem/core';
import type { WriteOutcome } from '../replicated-table.ts';
import { createAdaptiveLimit } from './adaptive-limit.ts';
import { BucketLane, type LaneContext } from './bucket-lane.ts';
import { createGate } from './gate.ts';
import type { WriteRequest } from './pending-write.ts';

export interface GroupCommit<K extends EntityKind> {
  /** Resolves once the write is committed, or decided not to happen. */
  write(request: WriteRequest): Promise<WriteOutcome<K>>;
}

export type GroupCommitOptions<K extends EntityKind> = Omit<
  LaneContext<K>,
  'commitGate' | 'readGate' | 'nextNumber'
>;

const READS_AT_ONCE_MAX = 32;
/** A transaction takes milliseconds; one that takes this long hangs. */
const STAY_MS_MAX = 250;

/** Writes of one table, grouped by bucket into transactions. */
export function createGroupCommit<K extends EntityKind>(
  options: GroupCommitOptions<K>,
): GroupCommit<K> {
  const { replica, clock } = options;
  const limit = createAdaptiveLimit();
  let number = 0;
  const context: LaneContext<K> = {
    ...options,
    commitGate: createGate({
      insideMax: limit.current,
      stayMsMax: STAY_MS_MAX,
      clock,
      onLeft: (stayMs, effort) => limit.note(stayMs, effort),
    }),
    readGate: createGate({ insideMax: () => READS_AT_ONCE_MAX, stayMsMax: STAY_MS_MAX, clock }),
    nextNumber: () => (number += 1),
  };
  const lanes = new Map<string, BucketLane<K>>();
  return {
    write(request) {
      const bucket = replica.bucketOf(request.entityId);
      const lane = lanes.get(bucket) ?? new BucketLane(bucket, context);
      lanes.set(bucket, lane);
      return lane.add(request);
    },
  };
}
