import type { Commit, Ledger } from '../observe/ledger.ts';
import { includesStamp, isRawAlive, timeMsOf } from '../observe/raw-state.ts';
import type { World } from '../world/world.ts';

const FRESH_MS = 5_000;

/**
 * Nothing is in an outbox, nothing waits in a queue, every region has seen every commit, and each has recorded the
 * conflicts that the others found.
 */
export async function hasConverged(world: World, ledger: Ledger): Promise<boolean> {
  const found = new Map(
    world.regions.flatMap(({ name }) => [...ledger.regionNamed(name).conflicts]),
  );
  for (const region of world.regions) {
    const view = ledger.regionNamed(region.name);
    const { rows, outboxKeys, collected, archived, archiveFromMs, conflicts } = view;
    if (outboxKeys.size > 0) return false;
    // What was told last may still be in the queue.
    if ([...found].some(([key, text]) => conflicts.get(key) !== text)) return false;
    // A later change tells of an earlier one, whose message may still be on its way to the archive.
    const isKnown = ({ stamp, entityId }: Commit): boolean =>
      archived.has(stamp) || timeMsOf(stamp) < archiveFromMs || collected.has(entityId);
    if (!ledger.commits.every(isKnown)) return false;
    for (const [entityId, truth] of ledger.truth) {
      const row = rows.get(entityId);
      if (row === undefined && collected.has(entityId) && !isRawAlive(truth)) continue;
      const stamps = collected.has(entityId) ? [newestOf(truth.vector)] : truth.vector.values();
      for (const stamp of stamps) if (!includesStamp(row?.vector, stamp)) return false;
    }
    const { bus, queue } = region.namespace;
    const oldest = await bus.receiverFor(queue).oldestMessage();
    // Watermarks never end, so a queue is as good as empty when all that is in it is young.
    const isOld = oldest && world.scheduler.nowMs() - oldest.enqueuedAtMs > FRESH_MS;
    if (isOld === true) return false;
  }
  return true;
}

function newestOf(vector: ReadonlyMap<string, string>): string {
  return [...vector.values()].sort().at(-1) ?? '';
}
