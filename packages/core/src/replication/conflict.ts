import { type EntityState, isAlive, type StampedField } from '../state/entity-state.ts';
import { laterField } from '../state/merge.ts';
import { hasSeen, newestStamp, type VersionVector } from '../state/version-vector.ts';
import { maxStamp, type Stamp } from '../time/stamp.ts';
import { isSameValue } from '../values/field-value.ts';

export interface ContestedField {
  readonly name: string;
  readonly winner: StampedField;
  readonly loser: StampedField;
}

/** The stamp of a write that made the entity alive, and of a deletion, neither of which saw the other. */
export interface ContestedLife {
  readonly alive: Stamp;
  readonly deleted: Stamp;
  readonly survives: boolean;
}

/**
 * Two changes of one entity, neither of which had seen the other. Both regions derive the same one:
 * it is named by the two changes, in stamp order, and not by which of them was here first.
 */
export interface Conflict {
  readonly entityKind: string;
  readonly entityId: string;
  /** The newest transactions that the other side had not seen, the smaller stamp first. */
  readonly stamps: readonly [Stamp, Stamp];
  /** The version vectors of the two sides, in the order of `stamps`. */
  readonly vectors: readonly [VersionVector, VersionVector];
  /** Empty when the two edits touched different fields, so that both survive whole. */
  readonly fields: readonly ContestedField[];
  readonly life: ContestedLife | undefined;
}

export function findConflict(
  stored: EntityState,
  incoming: { entityKind: string; entityId: string; state: EntityState },
): Conflict {
  const { state, entityKind, entityId } = incoming;
  const a = { state: stored, newest: newestUnseen(stored, state) };
  const b = { state, newest: newestUnseen(state, stored) };
  const [first, second] = a.newest < b.newest ? [a, b] : [b, a];
  return {
    entityKind,
    entityId,
    stamps: [first.newest, second.newest],
    vectors: [first.state.vector, second.state.vector],
    fields: contestedFields(stored, state),
    life: contestedLife(stored, state) ?? contestedLife(state, stored),
  };
}

function newestUnseen(state: EntityState, by: EntityState): Stamp {
  const unseen = [...state.vector.values()].filter((stamp) => !hasSeen(by.vector, stamp));
  // Both sides of a conflict hold something unseen; the fallback only keeps the function total.
  return maxStamp(unseen) ?? newestStamp(state.vector) ?? ('' as Stamp);
}

function contestedFields(a: EntityState, b: EntityState): ContestedField[] {
  const contested: ContestedField[] = [];
  for (const [name, own] of a.fields) {
    const other = b.fields.get(name);
    if (other === undefined || isSameValue(own.value, other.value)) continue;
    if (hasSeen(a.vector, other.stamp) || hasSeen(b.vector, own.stamp)) continue;
    const winner = laterField(own, other);
    contested.push({ name, winner, loser: winner === own ? other : own });
  }
  return contested.sort((x, y) => (x.name < y.name ? -1 : 1));
}

/** `a` deleted what `b` wrote, or the other way round: call it both ways. */
function contestedLife(a: EntityState, b: EntityState): ContestedLife | undefined {
  if (isAlive(a) || a.deleted === undefined || !isAlive(b) || b.alive === undefined)
    return undefined;
  if (hasSeen(b.vector, a.deleted) || hasSeen(a.vector, b.alive)) return undefined;
  return { alive: b.alive, deleted: a.deleted, survives: b.alive > a.deleted };
}
