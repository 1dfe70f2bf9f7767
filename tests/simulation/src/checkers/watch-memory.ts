import type { Probe } from '../observe/readiness-probe.ts';
import type { World } from '../world/world.ts';
import type { Report } from './watch.ts';

/** Each message that a replicator has in hand may be settled at once; its other loops add little. */
const CALLS_MAX = 2_000 + 300;

/** I13: memory is bounded: the table is the queue, however long a peer is away. */
export function createMemoryWatch(world: World, report: Report): (probe: Probe) => void {
  return ({ api }) => {
    if (api.relayQueue.length > world.plan.relayLengthMax) {
      report(
        'unbounded',
        `${api.relayQueue.length} entries wait in memory in ${api.incarnation.writer}`,
      );
    }
    for (const { pendingCount, writer } of world.living.values()) {
      if (pendingCount > CALLS_MAX) report('unbounded', `${writer} has ${pendingCount} calls open`);
    }
  };
}
