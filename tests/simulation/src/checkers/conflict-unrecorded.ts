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

/** A later write of the field had not seen this one, and whoever saw this one kept its value. */
function hasLost(commit: Commit, name: string, commits: readonly Commit[]): boolean {
  const { stamp } = commit;
  const own = JSON.stringify(commit.state.fields.get(name)?.value);
  const wasReplaced = commits.some(
    ({ state }) =>
      includesStamp(state.vector, stamp) && state.fields.get(name)?.stamp !== stamp,
  );
  if (wasReplaced) return false;
  return commits.some((other) => {
    const field = other.state.fields.get(name);
    if (field === undefined || field.stamp !== other.stamp || other.stamp <= stamp) return false;
    return !includesStamp(other.state.vector, stamp) && JSON.stringify(field.value) !== own;
  });
}

function keyOf({ entityId, name, stamp, value }: Loser): string {
  return `${entityId} ${name} ${stamp} ${value}`;
}
