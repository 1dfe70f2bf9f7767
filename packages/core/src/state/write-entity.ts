import { assert, assertNever } from '../errors.ts';
import type { Stamp } from '../time/stamp.ts';
import { isSameValue, type NullableFieldValue } from '../values/field-value.ts';
import { type EntityState, isAlive, latestStamp, type StampedField } from './entity-state.ts';
import { vectorWith } from './version-vector.ts';

export type FieldValues = ReadonlyMap<string, NullableFieldValue>;

/**
 * `field`: a write stamps only what it changes, so concurrent edits of different fields both
 * survive. `row`: a write stamps every field, so the later of two concurrent writes wins whole.
 */
export type MergePolicy = 'field' | 'row';

export type Write =
  | { readonly kind: 'put'; readonly values: FieldValues }
  | { readonly kind: 'patch'; readonly values: FieldValues }
  | { readonly kind: 'delete' }
  /** A deletion that keeps no value: every field is set to null, in a tombstone too. */
  | { readonly kind: 'forget' };

export interface WriteContext {
  readonly stored: EntityState | undefined;
  /** Greater than every stamp in `stored`. */
  readonly stamp: Stamp;
  readonly policy: MergePolicy;
}

/** The full state that results from a write by this region. */
export function writeEntity(write: Write, context: WriteContext): EntityState {
  const { stored, stamp } = context;
  assert(
    stored === undefined || (latestStamp(stored) ?? '') < stamp,
    'a new stamp must exceed every stamp of the row that it replaces',
  );
  const vector = vectorWith(stored?.vector ?? new Map(), stamp);
  const unchanged = stored ?? { fields: new Map(), alive: undefined, deleted: undefined, vector };
  switch (write.kind) {
    case 'put':
      return { ...unchanged, fields: putFields(write.values, context), alive: stamp, vector };
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

function nullFields({ stored, stamp }: WriteContext): Map<string, StampedField> {
  const names = [...(stored?.fields.keys() ?? [])];
  return new Map(names.map((name) => [name, { value: null, stamp }]));
}

/** A put sets what it does not name to null, for the fields that the row has. */
function putFields(values: FieldValues, context: WriteContext): Map<string, StampedField> {
  const full = new Map(values);
  for (const name of context.stored?.fields.keys() ?? []) if (!full.has(name)) full.set(name, null);
  return patchFields(full, context);
}

function patchFields(values: FieldValues, context: WriteContext): Map<string, StampedField> {
  const { stored, stamp, policy } = context;
  const fields = new Map(stored?.fields);
  // What is written over a tombstone is a new life: no field of it may lose to an edit of the old.
  const stampAll = policy === 'row' || stored === undefined || !isAlive(stored);
  if (stampAll) for (const [name, { value }] of fields) fields.set(name, { value, stamp });
  for (const [name, value] of values) {
    const own = fields.get(name);
    const isUnchanged = own === undefined ? value === null : isSameValue(own.value, value);
    // A new life says of every field what it is: where its tombstone was collected nobody here knows
    // what the old one had, and elsewhere it may not be forgotten yet.
    if (!isUnchanged || (own === undefined && stampAll)) fields.set(name, { value, stamp });
  }
  return fields;
}
