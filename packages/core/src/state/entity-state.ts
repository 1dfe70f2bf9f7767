import { createHash } from 'node:crypto';
import {
  isPossibleStamp,
  maxStamp,
  NIL_STAMP,
  type Stamp,
  stampRegion,
  stampTimeMs,
} from '../time/stamp.ts';
import type { NullableFieldValue } from '../values/field-value.ts';
import { type VersionVector, vectorWith } from './version-vector.ts';

export interface StampedField {
  readonly value: NullableFieldValue;
  readonly stamp: Stamp;
}

/** Returns the field without its value; what was written after `until` stays. */
export function eraseField(field: StampedField, until?: Stamp): StampedField {
  const isNewer = until !== undefined && field.stamp > until;
  return isNewer ? field : { value: null, stamp: field.stamp };
}

/** Everything that a region knows of one entity. A tombstone is a state that is not alive. */
export interface EntityState {
  readonly fields: ReadonlyMap<string, StampedField>;
  /** The last write that made it alive. */
  readonly alive: Stamp | undefined;
  /** Is the stamp of the last deletion. */
  readonly deleted: Stamp | undefined;
  /**
   * The last write that owned the whole entity: what was stamped before it is gone, and no state holds a field
   * of before its base. Undefined where no write ever did. See docs/adr/0030.
   */
  readonly base?: Stamp | undefined;
  /**
   * The fingerprint of the request that made the newest transaction of the vector: its repetition is known by it.
   * Undefined where that was asked for by nothing that is repeated. See docs/adr/0041.
   */
  readonly request?: string | undefined;
  readonly vector: VersionVector;
}

/** Returns those of the fields that a write which owned the whole entity has not taken away. */
export function fieldsSince(
  base: Stamp | undefined,
  fields: ReadonlyMap<string, StampedField>,
): ReadonlyMap<string, StampedField> {
  if (base === undefined) return fields;
  // Nearly always it has taken none: only then a copy is made.
  for (const { stamp } of fields.values()) {
    if (stamp < base) return new Map([...fields].filter(([, field]) => field.stamp >= base));
  }
  return fields;
}

/** Names of fields are names of columns too, and a leading underscore is kept for the system's. */
const FIELD_NAME = /^[A-Za-z][A-Za-z0-9_]{0,127}$/;

/** Columns of Table Storage and of this product, and what clients of the service keep for themselves. */
const RESERVED_FIELD_NAMES: ReadonlySet<string> = new Set([
  'partitionkey',
  'rowkey',
  'timestamp',
  'etag',
  'referenceid',
]);
/** Clients of the service take what begins so for its annotations. */
const ANNOTATION_PREFIX = 'odata';

/**
 * Returns why a field cannot be named so, or undefined. Names that every object has are refused, because
 * clients and emulators that keep a row in an object then read or call what is not there.
 */
export function findFieldNameFault(name: string): string | undefined {
  if (!hasFieldNameForm(name)) {
    return 'a name has 1 to 128 letters, digits and _, a letter first';
  }
  const lower = name.toLowerCase();
  if (RESERVED_FIELD_NAMES.has(lower) || lower.startsWith(ANNOTATION_PREFIX)) {
    return 'Table Storage, its clients or Tandem keep this name for a column of their own';
  }
  if (name in Object.prototype) return 'every JavaScript object has a property of this name';
  return undefined;
}

/** Tells whether a name is written as names of fields are, be it reserved or not. */
export function hasFieldNameForm(name: string): boolean {
  return FIELD_NAME.test(name);
}

export function isAlive(state: EntityState): boolean {
  if (state.alive === undefined) return false;
  return state.deleted === undefined || state.alive > state.deleted;
}

/** Returns the greatest stamp anywhere in the state: what a new write of this entity must exceed. */
export function latestStamp(state: EntityState): Stamp | undefined {
  let latest = maxStamp(state.vector.values());
  const consider = (stamp: Stamp | undefined): void => {
    if (stamp !== undefined && (latest === undefined || stamp > latest)) latest = stamp;
  };
  consider(state.alive);
  consider(state.deleted);
  consider(state.base);
  for (const { stamp } of state.fields.values()) consider(stamp);
  return latest;
}

/** Returns every stamp in the state, some more than once. */
export function* stampsOf(state: EntityState): Generator<Stamp> {
  yield* state.vector.values();
  if (state.alive !== undefined) yield state.alive;
  if (state.deleted !== undefined) yield state.deleted;
  if (state.base !== undefined) yield state.base;
  for (const field of state.fields.values()) yield field.stamp;
}

export interface StoredState {
  readonly state: EntityState;
  /** Names the archive row of the newest transaction in the state; absent when that was written in this region. */
  readonly referenceId: string | undefined;
  /**
   * Names the prepared change set that the row was committed with, of which nothing else tells that it was: whoever
   * writes over the row settles the set before. See docs/adr/0038.
   */
  readonly prepared?: Stamp | undefined;
}

/** A tombstone that any region may have collected by now: that it is gone elsewhere says nothing. */
export function isCollectable(state: EntityState, horizonMs: number): boolean {
  const newest = latestStamp(state);
  return !isAlive(state) && newest !== undefined && stampTimeMs(newest) < horizonMs;
}

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

// The fingerprint of a request that its client may repeat: everything of it that makes it that request and no other, as one
// hash. It goes with the state that the request wrote, so that a repetition is known in every region. See docs/adr/0041.

/** Is 96 bits: two requests of one row never share them. */
const LENGTH = 16;
const FORM = new RegExp(`^[\\w-]{${LENGTH}}$`);

/** Returns the fingerprint of a request that consists of these parts, in this order. */
export function fingerprintOf(parts: readonly string[]): string {
  const hash = createHash('sha256');
  // Each with its length, so that no two lists give the same text.
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('base64url').slice(0, LENGTH);
}

/** Whether a text is written as fingerprints are. */
export function isFingerprint(text: unknown): text is string {
  return typeof text === 'string' && FORM.test(text);
}
