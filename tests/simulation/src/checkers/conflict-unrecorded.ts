import { CONFLICTS_TABLE } from '@tandem/storage';
import { wasDamaged } from '../faults/damage-rows.ts';
import type { Commit } from '../observe/ledger.ts';
import { includesStamp, isRawAlive, type RawField } from '../observe/raw-state.ts';
import {
  type FinalChecker,
  type FinalRegion,
  type FinalState,
  isForgottenAnywhere,
} from './checker.ts';

/**
 * I7, I18: what lost to a transaction that had not seen it is in the journal of every region: a value that lost
 * to another or to a deletion, and a deletion that lost to a write.
 */
export const conflictUnrecorded: FinalChecker = {
  name: 'conflict-unrecorded',
  check(final) {
    const losses = lossesOf(final);
    return final.regions.flatMap((region) => {
      const recorded = recordedIn(region);
      return losses
        .filter((loss) => !recorded.has(loss.key))
        .map(({ what }) => `${what} lost, unrecorded in ${region.name}`);
    });
  },
};

/** I18: with any number of regions every one has recorded the same, in the same bytes. */
export const conflictsDiffer: FinalChecker = {
  name: 'conflicts-differ',
  check({ regions }) {
    const [first, ...others] = regions;
    if (first === undefined) return [];
    return others.flatMap((other) =>
      [...new Set([...first.conflictBytes.keys(), ...other.conflictBytes.keys()])]
        .filter((key) => first.conflictBytes.get(key) !== other.conflictBytes.get(key))
        .map((key) => `the conflict ${key} is not the same in ${first.name} and ${other.name}`),
    );
  },
};

/**
 * I18: journals become the same by what regions tell each other. Only where a store lost some of one, or somebody
 * damaged it, does the last repair find anything to join.
 */
export const conflictsUntold: FinalChecker = {
  name: 'conflicts-untold',
  check({ world }) {
    const { losses, recoveries, regions } = world;
    if (losses.needsFilling.size + losses.needsConflicts.size > 0) return [];
    if (regions.some(({ name }) => wasDamaged(world, name, CONFLICTS_TABLE))) return [];
    const last = recoveries.all.findLast(({ command }) => command.kind === 'repair');
    if (last?.plan?.kind !== 'repair') return [];
    // A forgetting that was cut off has erased in some regions what it has not in others.
    return last.plan.plan.conflicts
      .filter(({ entityId }) => !recoveries.forgotten.has(entityId))
      .map(
        ({ entityId, behind }) => `no one told ${behind.join(', ')} of a conflict of ${entityId}`,
      );
  },
};

function recordedIn({ conflicts }: FinalRegion): ReadonlySet<string> {
  const keys = conflicts.flatMap(({ entityId, fields, life }) => [
    ...fields.map(({ name, loser: [stamp, value] }) => keyOf({ entityId, name, stamp, value })),
    ...(life?.survives === true ? [deletionKey(entityId, life.deleted)] : []),
  ]);
  return new Set(keys);
}

interface Loss {
  readonly key: string;
  readonly what: string;
}

function lossesOf(final: FinalState): Loss[] {
  const losses: Loss[] = [];
  for (const entityId of final.ledger.truth.keys()) {
    if (isForgottenAnywhere(final, entityId)) continue;
    // What is forgotten is erased there, too.
    if (final.world.recoveries.forgotten.has(entityId)) continue;
    const commits = final.ledger.commitsOf(entityId);
    for (const commit of commits) {
      for (const [name, { stamp, value }] of commit.state.fields) {
        if (stamp !== commit.stamp) continue;
        if (!hasLost(commit, name, commits) && !hasLostToDeletion(commit, name, commits)) continue;
        const key = keyOf({ entityId, name, stamp, value });
        losses.push({ key, what: `${name} of ${entityId} by ${stamp}` });
      }
      if (!isOutlived(commit, commits)) continue;
      const key = deletionKey(entityId, commit.stamp);
      losses.push({ key, what: `the deletion of ${entityId} by ${commit.stamp}` });
    }
  }
  return losses;
}

/**
 * Later writes of the field had not seen this one, and whoever saw this one kept its value. Where
 * one of them wrote the same value nothing need have been lost, so that says nothing.
 */
function hasLost(commit: Commit, name: string, commits: readonly Commit[]): boolean {
  const { stamp } = commit;
  const own = JSON.stringify(commit.state.fields.get(name)?.value);
  const others = commits.map(({ state }) => ({
    // A write that owns the whole entity says of every field that it does not name that it is gone.
    field: state.fields.get(name) ?? goneBy(state.base),
    hasSeen: includesStamp(state.vector, stamp),
  }));
  if (others.some(({ field, hasSeen }) => hasSeen && field?.stamp !== stamp)) return false;
  const rivals = others.flatMap(({ field, hasSeen }) =>
    field !== undefined && !hasSeen && field.stamp > stamp ? [JSON.stringify(field.value)] : [],
  );
  return rivals.length > 0 && !rivals.includes(own);
}

function goneBy(base: string | undefined): RawField | undefined {
  return base === undefined ? undefined : { stamp: base, value: null };
}

/**
 * A later deletion had not seen the write; of all that had not seen the deletion nothing outlives it, and nobody
 * who saw the write has written over it or deleted it; and nobody who saw the deletion alone began a new life.
 */
function hasLostToDeletion(commit: Commit, name: string, commits: readonly Commit[]): boolean {
  const { stamp } = commit;
  return commits.filter(isDeletion).some((deletion) => {
    if (deletion.stamp < stamp || includesStamp(deletion.state.vector, stamp)) return false;
    const isRevived = commits.some(
      ({ state }) =>
        includesStamp(state.vector, deletion.stamp) &&
        !includesStamp(state.vector, stamp) &&
        isRawAlive(state),
    );
    if (isRevived) return false;
    return unawareOf(deletion, commits).every(({ state }) => {
      const other = state.fields.get(name)?.stamp ?? '';
      const keeps = isRawAlive(state) && other === stamp;
      // A later write of the same field may have come first, and with the same value nothing is lost to it.
      const isApart = !includesStamp(state.vector, stamp) && other < stamp;
      return (state.alive ?? '') < deletion.stamp && (keeps || isApart);
    });
  });
}

/**
 * A deletion that nobody who saw it has written over, while a later write that had not seen it is the last
 * word of all: so that the two must have met.
 */
function isOutlived(commit: Commit, commits: readonly Commit[]): boolean {
  if (!isDeletion(commit)) return false;
  const { stamp } = commit;
  const aware = commits.filter((one) => one !== commit && includesStamp(one.state.vector, stamp));
  if (aware.length > 0) return false;
  const last = commits.reduce((newest, one) => (one.stamp > newest.stamp ? one : newest));
  if (isDeletion(last) || last === commit || commits.filter(isDeletion).length > 1) return false;
  return !includesStamp(commit.state.vector, last.stamp);
}

function isDeletion({ state, stamp }: Commit): boolean {
  return state.deleted === stamp;
}

function unawareOf({ stamp }: Commit, commits: readonly Commit[]): readonly Commit[] {
  return commits.filter(({ state }) => !includesStamp(state.vector, stamp));
}

function keyOf(lost: {
  readonly entityId: string;
  readonly name: string;
  readonly stamp: string;
  readonly value: unknown;
}): string {
  return `${lost.entityId} ${lost.name} ${lost.stamp} ${JSON.stringify(lost.value)}`;
}

function deletionKey(entityId: string, stamp: string): string {
  return `${entityId} deletion ${stamp}`;
}
