import type { RefusalReason } from '../arrival/refusal.ts';
import { findValueFault, isPropertyName } from '../limits/table-limits.ts';
import { type EntityState, findFieldNameFault } from '../state/entity-state.ts';
import type { FieldValue } from '../values/field-value.ts';
import { findEntityIdFault } from './entity-fields.ts';
import type { EntityKind, TypedKind } from './entity-kind.ts';
import {
  CHANGE_SET_BYTES_MAX,
  fitsBytes,
  UNKNOWN_FIELD_BYTES_MAX,
  VECTOR_REGIONS_MAX,
} from './field-budgets.ts';

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
const OPEN_NAMES_MAX = 2_000;
const OPEN_NAME_RULE =
  'a name has 1 to 255 letters, digits and _, no digit first, and is none of PartitionKey, RowKey, Timestamp';

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

/** The row of a typed kind has no room for it, and nothing writes it there. */
function withoutRequest(state: EntityState): EntityState {
  if (state.request === undefined) return state;
  const { request: _, ...rest } = state;
  return rest;
}

function invalid(text: string): EntityFault {
  return { reason: 'ENTITY_INVALID', text };
}
