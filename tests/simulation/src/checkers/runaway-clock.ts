import { timeMsOf, writerOf } from '../observe/raw-state.ts';
import type { FinalChecker } from './checker.ts';

const ROUNDING_MS = 1_000;

/** I8: no region's stamps run away from its clocks, unless it overwrites what lies ahead. */
export const runawayClock: FinalChecker = {
  name: 'runaway-clock',
  check({ ledger, world }) {
    const { driftMsMax } = world.plan;
    return ledger.commits.flatMap(({ stamp, region, entityId, atMs }) => {
      const role = writerOf(stamp).startsWith('a') ? 'api' : 'replicator';
      const index = writerOf(stamp).charAt(1);
      const slot = world.slots.find(({ name }) => name === `${region}-${role}${index}`);
      const aheadMs = timeMsOf(stamp) - atMs - (slot?.clock.aheadMsMax ?? 0);
      if (aheadMs <= driftMsMax + ROUNDING_MS) return [];
      const floorMs = timeMsOf(stamp) - ROUNDING_MS;
      const hasFloor = ledger
        .commitsOf(entityId)
        .some((other) => other.stamp < stamp && timeMsOf(other.stamp) >= floorMs);
      return hasFloor ? [] : [`${stamp} of ${entityId} is ${aheadMs} ms ahead of its clock`];
    });
  },
};
