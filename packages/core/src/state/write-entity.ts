import { assert, assertNever } from '../errors.ts';
import type { Stamp } from '../time/stamp.ts';
import { isSameValue, type NullableFieldValue } from '../values/field-value.ts';
import { type EntityState, isAlive, latestStamp, type StampedField } from './entity-state.ts';
import { type VersionVector, vectorWith } from './version-vector.ts';

export type FieldValues = ReadonlyMap<string, NullableFieldValue>;

/**
 * `field`: a write stamps only what it changes, so concurrent edits of different fields both
 * survive. `row`: a write owns the whole entity, so the later of two concurrent writes wins whole and of the
 * other nothing survives but in the conflict journal. It matters to who writes only: every state merges alike.
 */
export type MergePolicy = 'field' | 'row';

export type Write =
  /** `keeps`: fields that stay as they are when they are not named; none by default. */
  | {
      readonly kind: 'put';
      readonly values: FieldValues;
      readonly keeps?: ReadonlySet<string>;
    }
  | { readonly kind: 'patch'; readonly values: FieldValues }
  /** A patch of what is there, a put where nothing is. */
  | { readonly kind: 'merge'; readonly values: FieldValues }
  | { readonly kind: 'delete' }
  /** A deletion that keeps no value: every field is set to null, in a tombstone too. */
  | { readonly kind: 'forget' };

export interface WriteContext {
  readonly stored: EntityState | undefined;
  /** Greater than every stamp in `stored`. */
  readonly stamp: Stamp;
  readonly policy: MergePolicy;
  /**
   * Says that every region reads a base, wire version 4. By default only a base that is stored already says so:
   * with the policy `row` a write else stamps every field instead, and a field that only the other of two concurrent
   * writes has survives.
   */
  readonly mayTakeBase?: boolean;
  /**
   * How much the names of fields that were set to null may take, each counted with its stamp, in UTF-16 units; any
   * number by default. A write that would leave more of them behind owns the whole entity, whatever the policy.
   */
  readonly nullUnitsMax?: number | undefined;
  /**
   * It is one of several writes that happen together: then each field that it names is stamped, changed or not,
   * so that of two such transactions the later wins on everything that both name. False by default.
   */
  readonly stampsUnchanged?: boolean;
  /** The fingerprint of the request that asks for it; by default it is not known again. */
  readonly request?: string | undefined;
}

/** Is some 300 names: where nobody declares the fields, names that come and go would else pile up. */
export const NULL_UNITS_MAX = 16 * 1_024;

/** Returns the full state that results from a write by this region. */
export function writeEntity(given: Write, context: WriteContext): EntityState {
  const { stored, stamp, nullUnitsMax, request } = context;
  // Where there is one, every region has been known to read it.
  const mayTakeBase = context.mayTakeBase === true || stored?.base !== undefined;
  const isLive = stored !== undefined && isAlive(stored);
  const write = given.kind === 'merge' ? mergeOf(given, isLive) : given;
  assert(
    stored === undefined || (latestStamp(stored) ?? '') < stamp,
    'a new stamp must exceed every stamp of the row that it replaces',
  );
  const vector = vectorWith(stored?.vector ?? new Map(), stamp);
  const owned = (): EntityState => ({
    ...ownWhole(write, context),
    base: stamp,
    ...(request === undefined ? {} : { request }),
    vector,
  });
  if (mayTakeBase && context.policy === 'row') return owned();
  const written = writeFields(write, context, vector);
  const isOverfull = nullUnitsMax !== undefined && nullUnitsOf(written) > nullUnitsMax;
  return mayTakeBase && isOverfull ? owned() : written;
}

/** Writes fields, each under a stamp of its own. */
function writeFields(
  write: DistinctWrite,
  context: WriteContext,
  vector: VersionVector,
): EntityState {
  const { stored = NOTHING, stamp, request } = context;
  // What is stored was asked for by another request.
  const unchanged = stored.request === request ? stored : { ...stored, request };
  switch (write.kind) {
    case 'put':
      return {
        ...unchanged,
        fields: patchFields(valuesOfPut(write, context.stored), context),
        alive: stamp,
        vector,
      };
    case 'patch':
      return { ...unchanged, fields: patchFields(write.values, context), alive: stamp, vector };
    case 'delete':
      return { ...unchanged, deleted: stamp, vector };
    case 'forget':
      return { ...unchanged, fields: nullFields(context), deleted: stamp, vector };
    default:
      return assertNever(write);
  }
}

const NOTHING: EntityState = {
  fields: new Map(),
  alive: undefined,
  deleted: undefined,
  vector: new Map(),
};

type DistinctWrite = Exclude<Write, { kind: 'merge' }>;

function mergeOf({ values }: Extract<Write, { kind: 'merge' }>, isLive: boolean): DistinctWrite {
  return { kind: isLive ? 'patch' : 'put', values };
}

function nullUnitsOf({ fields }: EntityState): number {
  let units = 0;
  for (const [name, { value, stamp }] of fields) {
    if (value === null) units += name.length + stamp.length;
  }
  return units;
}

/** Returns what is left of an entity where a write owns all of it: what it says, and what it keeps. */
function ownWhole(
  write: DistinctWrite,
  context: WriteContext,
): Omit<EntityState, 'base' | 'request' | 'vector'> {
  const { stored, stamp } = context;
  const { alive, deleted } = stored ?? { alive: undefined, deleted: undefined };
  switch (write.kind) {
    case 'put':
      return {
        fields: ownFields(valuesOfPut(write, stored), write.keeps ?? NONE, context),
        alive: stamp,
        deleted,
      };
    case 'patch':
      return {
        fields: ownFields(write.values, new Set(stored?.fields.keys()), context),
        alive: stamp,
        deleted,
      };
    case 'delete':
      return { fields: new Map(), alive, deleted: stamp };
    case 'forget':
      // The nulls tell a forgotten entity from one that was deleted, and so what becomes of its conflicts.
      return { fields: nullFields(context), alive, deleted: stamp };
    default:
      return assertNever(write);
  }
}

/** Nulls need not be kept: the base says of every other field that it is gone. */
function ownFields(
  values: FieldValues,
  keeps: ReadonlySet<string>,
  { stored, stamp }: WriteContext,
): Map<string, StampedField> {
  const fields = new Map<string, StampedField>();
  const isLive = stored !== undefined && isAlive(stored);
  for (const [name, { value }] of isLive ? stored.fields : []) {
    if (value !== null && keeps.has(name)) fields.set(name, { value, stamp });
  }
  for (const [name, value] of values) {
    if (value === null) fields.delete(name);
    else fields.set(name, { value, stamp });
  }
  return fields;
}

function nullFields({ stored, stamp }: WriteContext): Map<string, StampedField> {
  const names = [...(stored?.fields.keys() ?? [])];
  return new Map(names.map((name) => [name, { value: null, stamp }]));
}

/**
 * Tells whether a write would leave every field of a live entity as it is. Of a deletion it is false.
 */
export function changesNothing(write: Write, stored: EntityState): boolean {
  if (!isAlive(stored) || write.kind === 'delete' || write.kind === 'forget') return false;
  const values = write.kind === 'put' ? valuesOfPut(write, stored) : write.values;
  return [...values].every(([name, value]) => isUnchanged(stored.fields.get(name), value));
}

function isUnchanged(own: StampedField | undefined, value: NullableFieldValue): boolean {
  return own === undefined ? value === null : isSameValue(own.value, value);
}

const NONE: ReadonlySet<string> = new Set();

/** A put sets what it does not name to null, for the fields that the row has. */
function valuesOfPut(
  { values, keeps = NONE }: Extract<Write, { kind: 'put' }>,
  stored: EntityState | undefined,
): FieldValues {
  const full = new Map(values);
  // A new life keeps nothing of the old one.
  const isLive = stored !== undefined && isAlive(stored);
  const names = isLive ? stored.fields.keys() : [...(stored?.fields.keys() ?? []), ...keeps];
  for (const name of names) {
    if (!full.has(name) && !(isLive && keeps.has(name))) full.set(name, null);
  }
  return full;
}

function patchFields(values: FieldValues, context: WriteContext): Map<string, StampedField> {
  const { stored, stamp, policy, stampsUnchanged = false } = context;
  const fields = new Map(stored?.fields);
  // What is written over a tombstone is a new life: no field of it may lose to an edit of the old.
  const stampAll = policy === 'row' || stored === undefined || !isAlive(stored);
  if (stampAll) for (const [name, { value }] of fields) fields.set(name, { value, stamp });
  for (const [name, value] of values) {
    const own = fields.get(name);
    // A new life says of every field what it is: where its tombstone was collected nobody here knows
    // what the old one had, and elsewhere it may not be forgotten yet.
    const isStamped = !isUnchanged(own, value) || (own === undefined && stampAll);
    if (isStamped || stampsUnchanged) fields.set(name, { value, stamp });
  }
  return fields;
}
