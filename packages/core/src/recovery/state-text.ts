import { type EntityState, isAlive, latestStamp } from '../state/entity-state.ts';
import { encodeVector } from '../state/version-vector.ts';
import { stampTimeMs } from '../time/stamp.ts';
import { encodeFieldValue } from '../values/encode-field-value.ts';

/** One text for one state, the same in every region: what digests are made of and rows compared by. */
export function stateText(state: EntityState): string {
  const fields = [...state.fields]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { stamp, value }]) => [name, stamp, encodeFieldValue(value)]);
  return JSON.stringify([
    fields,
    state.alive ?? null,
    state.deleted ?? null,
    encodeVector(state.vector),
  ]);
}

export function isSameState(a: EntityState | undefined, b: EntityState | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return stateText(a) === stateText(b);
}

/** A tombstone that any region may have collected by now: that it is gone elsewhere says nothing. */
export function isCollectable(state: EntityState, horizonMs: number): boolean {
  const newest = latestStamp(state);
  return !isAlive(state) && newest !== undefined && stampTimeMs(newest) < horizonMs;
}
