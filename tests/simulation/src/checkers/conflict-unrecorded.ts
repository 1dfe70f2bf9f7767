import type { Commit } from '../observe/ledger.ts';
import { includesStamp } from '../observe/raw-state.ts';
import { type FinalChecker, type FinalState, isCollectedAnywhere } from './checker.ts';

/** I7: a value that lost to a write which had not seen it is in the journal. */
export const conflictUnrecorded: FinalChecker = {
  name: 'conflict-unrecorded',
  check(final) {
    const recorded = new Set(
      final.regions.flatMap(({ conflicts }) =>
        conflicts.flatMap(({ entityId, fields }) =>
          fields.map(({ name, loser: [stamp, value] }) =>
            keyOf({ entityId, name, stamp, value: JSON.stringify(value) }),
          ),
        ),
      ),
    );
    return losersOf(final)
      .filter((loser) => !recorded.has(keyOf(loser)))
      .map(({ entityId, name, stamp }) => `${name} of ${entityId} by ${stamp} lost unrecorded`);
  },
};

interface Loser {
  readonly entityId: string;
  readonly name: string;
  readonly stamp: string;
  readonly value: string;
}

function losersOf(final: FinalState): Loser[] {
  const losers: Loser[] = [];
  for (const entityId of final.ledger.truth.keys()) {
    if (isCollectedAnywhere(final, entityId)) continue;
    const commits = final.ledger.commitsOf(entityId);
    for (const commit of commits) {
      for (const [name, { stamp, value }] of commit.state.fields) {
        if (stamp !== commit.stamp || !hasLost(commit, name, commits)) continue;
        losers.push({ entityId, name, stamp, value: JSON.stringify(value) });
      }
    }
  }
  return losers;
}

/**
 * Later writes of the field had not seen this one, and whoever saw this one kept its value. Where
 * one of them wrote the same value nothing need have been lost, so that says nothing.
 */
function hasLost(commit: Commit, name: string, commits: readonly Commit[]): boolean {
  const { stamp } = commit;
  const own = JSON.stringify(commit.state.fields.get(name)?.value);
  const others = commits.map(({ state }) => ({
    field: state.fields.get(name),
    hasSeen: includesStamp(state.vector, stamp),
  }));
  if (others.some(({ field, hasSeen }) => hasSeen && field?.stamp !== stamp)) return false;
  const rivals = others.flatMap(({ field, hasSeen }) =>
    field !== undefined && !hasSeen && field.stamp > stamp ? [JSON.stringify(field.value)] : [],
  );
  return rivals.length > 0 && !rivals.includes(own);
}

function keyOf({ entityId, name, stamp, value }: Loser): string {
  return `${entityId} ${name} ${stamp} ${value}`;
}
