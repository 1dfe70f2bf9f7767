import { isForged } from '../faults/forge-messages.ts';
import { isAside } from '../processes/next-build.ts';
import type { FinalChecker } from './checker.ts';

/**
 * I10: what cannot be applied is dead-lettered with its reason, and nothing else is. A change that
 * was delivered again after its tombstone was collected may be refused too.
 */
export const deadLetters: FinalChecker = {
  name: 'dead-letters',
  check: ({ world, regions, poison }) => [
    ...world.damages.unnamed.map((row) => `${row} is damaged, and no command names it`),
    ...world.unfounded.map((what) => `${what} for no reason`),
    ...regions.flatMap(({ name, deadLetters: found }) => {
      const expected = new Map(poison.expected.get(name));
      const known = new Map(expected);
      const wasResubmitted = world.recoveries.all.some(
        ({ command }) => command.kind === 'resubmit' && command.region === name,
      );
      const wrong: string[] = [];
      for (const { messageId: deadId, reason } of found) {
        const messageId = idBeforeForgetting(deadId, [...known.keys()]);
        // Of a message that the next build has sent to a region before its upgrade, or that its store failed for.
        const isTooNew = reason === 'CHANGE_TOO_NEW';
        const mayBeAside = !isTooNew || world.plan.upgradeMs !== undefined;
        if (mayBeAside && isAside({ messageId, reason })) continue;
        // Why is for every region to decide alike: see `decidedApart`.
        if (isForged(messageId)) continue;
        const isTooOld = reason === 'CHANGE_TOO_OLD' && world.plan.quietMs > 0;
        const isExpected = expected.get(messageId) === reason;
        expected.delete(messageId);
        // One that was sent again before its process died is there twice.
        const isAgain = (wasResubmitted || deadId !== messageId) && known.get(messageId) === reason;
        if (!isExpected && !isTooOld && !isAgain)
          wrong.push(`${messageId} is dead in ${name}: ${reason}`);
      }
      // A letter that may hold values of what is to be forgotten, and that nobody can read, is thrown away.
      const isForgetting = world.recoveries.forgotten.size > 0;
      const missing = (isForgetting ? [] : [...expected])
        .filter(([messageId]) => !poison.thrownAway.has(`${name} ${messageId}`))
        .map(([messageId, reason]) => `${messageId} should be dead in ${name}: ${reason}`);
      return [...wrong, ...missing];
    }),
  ],
};

/** What a forgetting empties goes back to the queue under a name that begins as its own does. */
function idBeforeForgetting(messageId: string, known: readonly string[]): string {
  const start = messageId.replace(EMPTIED, '');
  if (start === messageId) return messageId;
  return known.find((id) => id === start) ?? known.find((id) => id.startsWith(start)) ?? start;
}

/** What is emptied twice has the first of its endings cut off at the length that is taken of a name. */
const EMPTIED = /(?:~\d+(?:\.\d*)?)+$/;
