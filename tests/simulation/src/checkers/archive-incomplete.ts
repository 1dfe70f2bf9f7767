import { timeMsOf } from '../observe/raw-state.ts';
import { type FinalChecker, isCollectedAnywhere } from './checker.ts';

/** I5: every commit is in the archive of every region, once, under its own stamp. */
export const archiveIncomplete: FinalChecker = {
  name: 'archive-incomplete',
  check(final) {
    const { ledger, regions } = final;
    return regions.flatMap(({ name, archive }) => {
      const archived = new Map([...archive.values()].map((set) => [set.stamp, set]));
      const repeated = archive.size - archived.size;
      return [
        ...(repeated === 0 ? [] : [`${repeated} change sets are archived twice in ${name}`]),
        ...ledger.commits
          .filter(({ stamp, entityId, region }) => {
            // Before what it goes back to, replays say whether anything is missing.
            const { trimmed, archiveFromMs } = ledger.regionNamed(name);
            if (trimmed.has(stamp) || timeMsOf(stamp) < archiveFromMs) return false;
            const set = archived.get(stamp);
            if (set?.changes.some((change) => change.entityId === entityId)) return false;
            return region === name || !isCollectedAnywhere(final, entityId);
          })
          .map(({ stamp, entityId }) => `${stamp} of ${entityId} is not archived in ${name}`),
      ];
    });
  },
};
