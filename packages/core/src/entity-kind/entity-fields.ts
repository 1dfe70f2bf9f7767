import type { RefusalReason } from '../arrival/refusal.ts';
import { assertNever, TerminalError } from '../errors.ts';
import { findValueFault, hasMark, isPropertyName } from '../limits/table-limits.ts';
import type { Conflict, ContestedField } from '../model/conflict.ts';
import { type EntityState, findFieldNameFault } from '../state/entity-state.ts';
import type { FieldValues } from '../state/write-entity.ts';
import {
  canonicalValue,
  type EdmType,
  type FieldValue,
  isDateTimeText,
  isGuidText,
  isInt32,
  isInt64,
  isWholeText,
  type NullableFieldValue,
} from '../values/field-value.ts';
import { MARK_WIRE_VERSION } from '../wire/versions.ts';
import type { EntityKind, EntityOf, TypedKind } from './entity-kind.ts';
import {
  CHANGE_SET_BYTES_MAX,
  fitsBytes,
  UNKNOWN_FIELD_BYTES_MAX,
  VECTOR_REGIONS_MAX,
} from './field-budgets.ts';

/**
 * Returns the typed values of the fields that `entity` names. Throws `ENTITY_INVALID`, naming the field, for
 * one that the kind does not have or a value that its Edm type cannot hold.
 */
export function toFieldValues<K extends TypedKind>(
  kind: K,
  entity: Partial<EntityOf<K>>,
): FieldValues {
  const values = new Map<string, NullableFieldValue>();
  if (typeof entity !== 'object' || entity === null || hidesWhatItHas(entity)) {
    throw invalidEntity(kind, 'is an object of fields');
  }
  for (const [name, value] of Object.entries(entity)) {
    const type = kind.edmTypes.get(name);
    if (type === undefined) throw invalidEntity(kind, `has no field ${JSON.stringify(name)}`);
    if (value === undefined) continue;
    values.set(name, value === null ? null : toTypedValue(kind, { name, type, value }));
  }
  return values;
}

/** A Map, a Date or the like has no field of its own: as an entity it would empty all of them. */
function hidesWhatItHas(entity: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(entity);
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  return !isPlain && Object.keys(entity).length === 0;
}

interface GivenField {
  readonly name: string;
  readonly type: EdmType;
  readonly value: unknown;
}

function toTypedValue(kind: TypedKind, { name, type, value }: GivenField): FieldValue {
  const typed = toFieldValue(type, value);
  if (typed === undefined) {
    throw invalidEntity(kind, `takes an Edm.${type} in field "${name}": ${EDM_VALUES[type]}`, {
      name,
    });
  }
  const wrong = kind.constraints.get(name)?.(typed.value);
  // The value itself may be a person's and is not repeated.
  if (wrong !== undefined)
    throw invalidEntity(kind, `has a field "${name}" that ${wrong}`, { name });
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
  if (what !== undefined) throw invalidEntity(kind, `has an id that ${what}`);
}

/** Returns why a text can be no id of this kind, or undefined. */
function findEntityIdFault(kind: EntityKind, entityId: unknown): string | undefined {
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

function invalidEntity(
  kind: EntityKind,
  what: string,
  details: Readonly<Record<string, unknown>> = {},
): TerminalError {
  return new TerminalError('ENTITY_INVALID', `An entity of ${kind.name} ${what}.`, { details });
}

export interface EntityFault {
  readonly reason: Extract<
    RefusalReason,
    'ENTITY_INVALID' | 'FIELD_RESERVED' | 'FIELD_UNKNOWN' | 'FIELD_TOO_LARGE' | 'CHANGE_TOO_LARGE'
  >;
  readonly text: string;
}

/**
 * Returns why a state can be none of this kind in any region, or undefined. A few fields that this build does
 * not know are no fault: a peer that was upgraded first may have them, and they are kept. Whatever two states
 * without fault join to has none either, once `withinUnknown` has bounded what is unknown.
 */
export function findEntityFault(
  kind: EntityKind,
  entityId: string,
  state: EntityState,
): EntityFault | undefined {
  if (findEntityIdFault(kind, entityId) !== undefined)
    return invalid('its id is none of this kind');
  if (state.vector.size > VECTOR_REGIONS_MAX + 1) {
    const figures = `its version vector names ${state.vector.size} regions`;
    return {
      reason: 'CHANGE_TOO_LARGE',
      text: `${figures}, the limit is ${VECTOR_REGIONS_MAX}. Repair the row`,
    };
  }
  const rules = rulesOf(kind);
  let unknown = 0;
  for (const [name, { value }] of state.fields) {
    if (!rules.edmTypes.has(name)) {
      unknown += 1;
      const fault = rules.findNameFault(name);
      if (fault !== undefined) {
        const text = `its field "${name}" cannot be named so: ${fault}`;
        return { reason: 'FIELD_RESERVED', text };
      }
    }
    const fault = value === null ? undefined : findFieldFault(rules, name, value);
    if (fault !== undefined) return fault;
  }
  if (unknown <= rules.unknownFieldsMax) return undefined;
  const limit = `the limit is ${rules.unknownFieldsMax}`;
  if (kind.form === 'open') {
    const text = `it has ${unknown} names of properties, ${limit}. Join some into one`;
    return { reason: 'FIELD_UNKNOWN', text };
  }
  const figures = `it has ${unknown} fields that this build does not know`;
  return { reason: 'FIELD_UNKNOWN', text: `${figures}, ${limit}. Upgrade this region` };
}

interface FieldRules extends Pick<TypedKind, 'edmTypes' | 'budgets' | 'unknownFieldsMax'> {
  readonly unknownBytesMax: number;
  readonly findNameFault: (name: string) => string | undefined;
}

/**
 * Bounds the names of an open row, those included that are set to nothing: more than concurrent writes join to, each of
 * which has at most as many properties as a row has columns.
 */
export const OPEN_NAMES_MAX = 2_000;
const OPEN_NAME_RULE =
  'a name has 1 to 255 letters, combining marks, digits and _, a letter or _ first, and is none of PartitionKey, ' +
  'RowKey, Timestamp';

/** Says of which of the names it is that regions do not take it below a wire version, where that is not reached. */
export function findMarkFault(
  names: readonly string[],
  wireVersion: number,
): EntityFault | undefined {
  if (wireVersion >= MARK_WIRE_VERSION) return undefined;
  const marked = names.find(hasMark);
  if (marked === undefined) return undefined;
  const text =
    `its field "${marked}" has a combining mark in its name, which regions take from Messages.WireVersion ` +
    `${MARK_WIRE_VERSION} on, and it is ${wireVersion}. Upgrade every region, then raise the setting`;
  return { reason: 'FIELD_RESERVED', text };
}

/** An open kind knows none of its fields. */
const OPEN_RULES: FieldRules = {
  edmTypes: new Map(),
  budgets: new Map(),
  unknownFieldsMax: OPEN_NAMES_MAX,
  unknownBytesMax: CHANGE_SET_BYTES_MAX,
  findNameFault: (name) => (isPropertyName(name) ? undefined : OPEN_NAME_RULE),
};

function rulesOf(kind: EntityKind): FieldRules {
  if (kind.form === 'open') return OPEN_RULES;
  return {
    ...kind,
    unknownBytesMax: UNKNOWN_FIELD_BYTES_MAX,
    findNameFault: findFieldNameFault,
  };
}

function findFieldFault(
  kind: FieldRules,
  name: string,
  value: FieldValue,
): EntityFault | undefined {
  const type = kind.edmTypes.get(name);
  if (type !== undefined && value.type !== type) {
    return invalid(`its field "${name}" holds an Edm.${value.type} and takes an Edm.${type}`);
  }
  const fault = findValueFault(value);
  if (fault !== undefined) {
    return {
      reason: fault.isSize ? 'FIELD_TOO_LARGE' : 'ENTITY_INVALID',
      text: `its field "${name}" ${fault.text}`,
    };
  }
  const bytesMax = kind.budgets.get(name)?.bytesMax ?? kind.unknownBytesMax;
  if (fitsBytes(value, bytesMax)) return undefined;
  return {
    reason: 'FIELD_TOO_LARGE',
    text:
      `its field "${name}" takes more than ${bytesMax} bytes in JSON, its share of a change set. ` +
      'Make it smaller, or declare the maxLength of other fields',
  };
}

/**
 * Returns the state with as many unknown fields as a row has room for, those with the least names: of any
 * states in any order the same are left. Only what nobody sends in good order can be more.
 */
export function withinUnknown(kind: EntityKind, given: EntityState): EntityState {
  const { edmTypes, unknownFieldsMax } = rulesOf(kind);
  const state = kind.form === 'open' ? given : withoutRequest(given);
  if (state.fields.size <= unknownFieldsMax) return state;
  const unknown = [...state.fields.keys()].filter((name) => !edmTypes.has(name));
  if (unknown.length <= unknownFieldsMax) return state;
  const fields = new Map(state.fields);
  for (const name of unknown.sort().slice(unknownFieldsMax)) fields.delete(name);
  return { ...state, fields };
}

/**
 * Returns the conflict with as many fields as the journal reads again: those of the kind, and of all others those with
 * the least names, so that of any records in any order the same are left. What states of one build lose is never more.
 */
export function withinReadable(kind: EntityKind | undefined, conflict: Conflict): Conflict {
  const { fields } = conflict;
  if (fields.length <= OPEN_NAMES_MAX) return conflict;
  const isKnown = ({ name }: ContestedField): boolean =>
    kind?.form === 'typed' && kind.edmTypes.has(name);
  const known = fields.filter(isKnown);
  const others = fields.filter((field) => !isKnown(field)).sort(byName);
  const left = [...known, ...others.slice(0, OPEN_NAMES_MAX - known.length)];
  return { ...conflict, fields: left.sort(byName) };
}

function byName(a: ContestedField, b: ContestedField): number {
  return a.name < b.name ? -1 : 1;
}

/** The row of a typed kind has no room for it, and nothing writes it there. */
function withoutRequest(state: EntityState): EntityState {
  if (state.request === undefined) return state;
  const { request: _, ...rest } = state;
  return rest;
}

function invalid(text: string): EntityFault {
  return { reason: 'ENTITY_INVALID', text };
}
