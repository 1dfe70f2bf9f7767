import { timeMsOf, writerOf } from '../observe/raw-state.ts';
import type { Slot } from '../processes/slot.ts';
import type { World } from '../world/world.ts';
import type { FinalChecker } from './checker.ts';

const ROUNDING_MS = 1_000;

/** I8: no region's stamps run away from its clocks, unless it overwrites what lies ahead. */
export const runawayClock: FinalChecker = {
  name: 'runaway-clock',
  check({ ledger, world }) {
    const { driftMsMax } = world.plan;
    return ledger.commits.flatMap(({ stamp, region, entityId, isWhole, atMs }) => {
      const slot = slotOf(world, region, writerOf(stamp));
      const boundMs = atMs + (slot?.clock.aheadMsMax ?? 0) + driftMsMax + ROUNDING_MS;
      if (timeMsOf(stamp) <= boundMs) return [];
      // What lies ahead is overwritten alone, so that no neighbour is pushed there, but for those of a whole transaction.
      const together = isWhole ? ledger.commitsUnder(stamp).map((one) => one.entityId) : [entityId];
      const hasFloor = together
        .flatMap((one) => ledger.commitsOf(one))
        .some((other) => other.stamp < stamp && timeMsOf(other.stamp) > boundMs);
      const aheadMs = timeMsOf(stamp) - atMs;
      return hasFloor ? [] : [`${stamp} of ${entityId} is ${aheadMs} ms ahead of its clock`];
    });
  },
};

function slotOf({ slots, operatorSlots }: World, region: string, writer: string): Slot | undefined {
  const index = writer.charAt(1);
  // An operator writes in every region.
  if (writer.startsWith('o')) return operatorSlots.find(({ name }) => name.endsWith(index));
  const role = writer.startsWith('a') ? 'api' : 'replicator';
  return slots.find(({ name }) => name === `${region}-${role}${index}`);
}
