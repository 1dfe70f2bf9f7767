import { isForged } from '../faults/forge-messages.ts';
import { isAside } from '../processes/next-build.ts';
import type { FinalChecker } from './checker.ts';

/** I17: what one region accepts every region accepts, and what one refuses every one does, for the same reason. */
export const decidedApart: FinalChecker = {
  name: 'decided-apart',
  check({ world, regions }) {
    // Letters are thrown away then.
    if (world.recoveries.forgotten.size > 0) return [];
    const reasonsOf = new Map<string, Map<string, string>>();
    for (const { name, deadLetters } of regions) {
      for (const { messageId, reason } of deadLetters) {
        if (!isForged(messageId) || isAside({ messageId, reason })) continue;
        const own = reasonsOf.get(messageId) ?? new Map<string, string>();
        reasonsOf.set(messageId, own.set(name, reason));
      }
    }
    return [...reasonsOf]
      .filter(([, own]) => own.size < regions.length || new Set(own.values()).size > 1)
      .map(([messageId, own]) => `${messageId} is refused ${JSON.stringify([...own])}`);
  },
};
