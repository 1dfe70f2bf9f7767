import type { Change, ChangeSet } from '../model/change-set.ts';
import type { EntityState, StampedField } from '../state/entity-state.ts';
import { type EncodedFieldValue, encodeFieldValue } from '../values/encode-field-value.ts';
import { WIRE_VERSION } from './versions.ts';

const encoder = new TextEncoder();

export interface EncodedState {
  readonly fields: Record<string, readonly [string, EncodedFieldValue]>;
  readonly alive?: string;
  readonly deleted?: string;
  readonly vector: readonly string[];
}

/** UTF-8 JSON. The same bytes are written to the outbox, archived and sent. */
export function encodeChangeSet(set: ChangeSet): Uint8Array {
  return joinChangeSet(set, set.changes.map(encodeChange));
}

/** One change as JSON: whoever packs several into a set knows by its length what it takes there. */
export function encodeChange({ entityId, operation, state, trace }: Change): string {
  // A reader that does not know `trace` reads over it, and JSON leaves it out when there is none.
  return JSON.stringify({ entityId, operation, state: encodeState(state), trace });
}

/** The encoding of a set whose changes, in their order, were encoded by `encodeChange`. */
export function joinChangeSet(
  { entityKind, bucket, stamp }: Omit<ChangeSet, 'changes'>,
  changes: readonly string[],
): Uint8Array {
  const head = JSON.stringify({ wire: WIRE_VERSION, entityKind, bucket, stamp }).slice(0, -1);
  return encoder.encode(`${head},"changes":[${changes.join(',')}]}`);
}

function encodeState(state: EntityState): EncodedState {
  const fields: Record<string, readonly [string, EncodedFieldValue]> = {};
  for (const [name, field] of state.fields) fields[name] = encodeField(field);
  return {
    fields,
    ...(state.alive === undefined ? {} : { alive: state.alive }),
    ...(state.deleted === undefined ? {} : { deleted: state.deleted }),
    vector: [...state.vector.values()],
  };
}

function encodeField(field: StampedField): readonly [string, EncodedFieldValue] {
  return [field.stamp, encodeFieldValue(field.value)];
}
