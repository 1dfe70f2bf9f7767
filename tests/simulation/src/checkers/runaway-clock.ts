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
      const boundMs = atMs + (slot?.clock.aheadMsMax ?? 0) + driftMsMax + ROUNDING_MS;
      if (timeMsOf(stamp) <= boundMs) return [];
      // What lies ahead is overwritten alone, so that no neighbour is pushed there.
      const hasFloor = ledger
        .commitsOf(entityId)
        .some((other) => other.stamp < stamp && timeMsOf(other.stamp) > boundMs);
      const aheadMs = timeMsOf(stamp) - atMs;
      return hasFloor ? [] : [`${stamp} of ${entityId} is ${aheadMs} ms ahead of its clock`];
    });
  },
};
