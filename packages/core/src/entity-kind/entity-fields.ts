import { assertNever, TerminalError } from '../errors.ts';
import type { EntityState } from '../state/entity-state.ts';
import type { FieldValues } from '../state/write-entity.ts';
import { canonicalValue } from '../values/canonical-value.ts';
import {
  isDateTimeText,
  isGuidText,
  isInt32,
  isInt64,
  isWholeText,
} from '../values/encode-field-value.ts';
import type { EdmType, FieldValue, NullableFieldValue } from '../values/field-value.ts';
import type { EntityKind, EntityOf, TypedKind } from './entity-kind.ts';

/**
 * Returns the typed values of the fields that `entity` names. Throws `ENTITY_INVALID`, naming the field, for
 * one that the kind does not have or a value that its Edm type cannot hold.
 */
export function toFieldValues<K extends TypedKind>(
  kind: K,
  entity: Partial<EntityOf<K>>,
): FieldValues {
  const values = new Map<string, NullableFieldValue>();
  if (typeof entity !== 'object' || entity === null) throw invalid(kind, 'is an object of fields');
  for (const [name, value] of Object.entries(entity)) {
    const type = kind.edmTypes.get(name);
    if (type === undefined) throw invalid(kind, `has no field ${JSON.stringify(name)}`);
    if (value === undefined) continue;
    values.set(name, value === null ? null : toTypedValue(kind, { name, type, value }));
  }
  return values;
}

interface GivenField {
  readonly name: string;
  readonly type: EdmType;
  readonly value: unknown;
}

function toTypedValue(kind: TypedKind, { name, type, value }: GivenField): FieldValue {
  const typed = toFieldValue(type, value);
  if (typed === undefined) {
    throw invalid(kind, `takes an Edm.${type} in field "${name}": ${EDM_VALUES[type]}`, { name });
  }
  const wrong = kind.constraints.get(name)?.(typed.value);
  // The value itself may be a person's and is not repeated.
  if (wrong !== undefined) throw invalid(kind, `has a field "${name}" that ${wrong}`, { name });
  // As the table will give it back: the row, the archive and the peers must hold one and the same.
  return canonicalValue(typed);
}

/** What each Edm type takes, for who gave something else. */
const EDM_VALUES: Readonly<Record<EdmType, string>> = {
  String: 'well-formed text, without half a surrogate pair',
  Boolean: 'true or false',
  Int32: 'a whole number of 32 bits',
  Int64: 'a bigint of 64 bits',
  Double: 'a number',
  DateTime: 'UTC text such as 2026-11-22T07:08:09.1234567Z, of a day that exists since 1601',
  Guid: 'text such as 0199a1b2-c3d4-4e5f-8a9b-0123456789ab',
  Binary: 'a Uint8Array',
};

/**
 * Throws `ENTITY_INVALID` for a text that can be no id of this kind. Half a surrogate pair never can:
 * in a key two different ones would be one and the same.
 */
export function checkEntityId(kind: EntityKind, entityId: unknown): void {
  const what = findEntityIdFault(kind, entityId);
  if (what !== undefined) throw invalid(kind, `has an id that ${what}`);
}

/** Returns why a text can be no id of this kind, or undefined. */
export function findEntityIdFault(kind: EntityKind, entityId: unknown): string | undefined {
  if (typeof entityId !== 'string' || entityId === '')
    return 'is no text of at least one character';
  if (!isWholeText(entityId)) return 'holds half a surrogate pair';
  return kind.isEntityId(entityId) ? undefined : 'is none of its kind';
}

/**
 * Does as `toFieldValues`, for an entity that is meant whole: what it does not name is null, but for kept
 * fields.
 */
export function toAllFieldValues<K extends TypedKind>(
  kind: K,
  entity: Partial<EntityOf<K>>,
): FieldValues {
  const values = new Map<string, NullableFieldValue>();
  for (const name of kind.edmTypes.keys()) if (!kind.keptFields.has(name)) values.set(name, null);
  for (const [name, value] of toFieldValues(kind, entity)) values.set(name, value);
  return values;
}

/** Returns the entity as ordinary values: every field of the kind, null where there is no column. */
export function toEntity<K extends TypedKind>(kind: K, state: EntityState): EntityOf<K> {
  const entity: Record<string, unknown> = {};
  for (const [name, type] of kind.edmTypes) {
    const value = state.fields.get(name)?.value ?? null;
    // A field whose type was changed since keeps its old values in the table; they read as absent.
    entity[name] = value?.type === type ? value.value : null;
  }
  return entity as EntityOf<K>;
}

function toFieldValue(type: EdmType, value: unknown): FieldValue | undefined {
  switch (type) {
    case 'String':
      return isWholeText(value) ? { type, value } : undefined;
    case 'Boolean':
      return typeof value === 'boolean' ? { type, value } : undefined;
    case 'Int32':
      return isInt32(value) ? { type, value } : undefined;
    case 'Int64':
      return isInt64(value) ? { type, value } : undefined;
    case 'Double':
      return typeof value === 'number' ? { type, value } : undefined;
    case 'DateTime':
      return isDateTimeText(value) ? { type, value } : undefined;
    case 'Guid':
      return isGuidText(value) ? { type, value } : undefined;
    case 'Binary':
      // A copy: what the caller does with its bytes later must not change what was written.
      return value instanceof Uint8Array ? { type, value: new Uint8Array(value) } : undefined;
    default:
      return assertNever(type);
  }
}

function invalid(
  kind: EntityKind,
  what: string,
  details: Readonly<Record<string, unknown>> = {},
): TerminalError {
  return new TerminalError('ENTITY_INVALID', `An entity of ${kind.name} ${what}.`, { details });
}
