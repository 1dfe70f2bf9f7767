import { isPossibleStamp, NIL_STAMP, type Stamp, stampRegion } from '../time/stamp.ts';
import { type EntityState, fieldsSince, stampsOf } from './entity-state.ts';
import { type VersionVector, vectorWith } from './version-vector.ts';

/**
 * Returns the state with `NIL_STAMP` in the place of each impossible stamp, and the same state where there is
 * none. What is stored is read like this in every region, so a row that took such a stamp before they were
 * refused keeps its values, can be overwritten, forgotten and repaired, and hands the stamp on to nobody.
 */
export function toPossibleState(state: EntityState): EntityState {
  let isPossible = true;
  for (const stamp of stampsOf(state)) isPossible &&= isPossibleStamp(stamp);
  if (isPossible) return state;
  const base = state.base && toPossibleStamp(state.base);
  const fields = new Map(
    [...state.fields].map(([name, { value, stamp }]) => [
      name,
      { value, stamp: toPossibleStamp(stamp) },
    ]),
  );
  return {
    fields: fieldsSince(base, fields),
    alive: state.alive && toPossibleStamp(state.alive),
    deleted: state.deleted && toPossibleStamp(state.deleted),
    ...(base === undefined ? {} : { base }),
    vector: possibleVector(state),
  };
}

export function toPossibleStamp(stamp: Stamp): Stamp {
  return isPossibleStamp(stamp) ? stamp : NIL_STAMP;
}

/** An impossible entry hid what the region wrote before it: of that the newest stamp that is still there. */
function possibleVector(state: EntityState): VersionVector {
  let vector: VersionVector = new Map();
  for (const raw of stampsOf(state)) {
    const stamp = toPossibleStamp(raw);
    const known = vector.get(stampRegion(stamp));
    if (known === undefined || known < stamp) vector = vectorWith(vector, stamp);
  }
  return vector;
}
