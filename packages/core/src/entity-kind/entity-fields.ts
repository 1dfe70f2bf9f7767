import { assertNever, TerminalError } from '../errors.ts';
import type { EntityState } from '../state/entity-state.ts';
import type { FieldValues } from '../state/write-entity.ts';
import { canonicalValue } from '../values/canonical-value.ts';
import { isDateTimeText, isGuidText, isInt32, isInt64 } from '../values/encode-field-value.ts';
import type { EdmType, FieldValue, NullableFieldValue } from '../values/field-value.ts';
import type { EntityKind, EntityOf } from './entity-kind.ts';

/**
 * The typed values of the fields that `entity` names. Throws `ENTITY_INVALID`, naming the field, for
 * one that the kind does not have or a value that its Edm type cannot hold.
 */
export function toFieldValues<K extends EntityKind>(
  kind: K,
  entity: Partial<EntityOf<K>>,
): FieldValues {
  const values = new Map<string, NullableFieldValue>();
  for (const [name, value] of Object.entries(entity)) {
    const type = kind.edmTypes.get(name);
    if (type === undefined) throw invalid(kind, `has no field "${name}"`);
    if (value === undefined) continue;
    const typed = value === null ? null : toFieldValue(type, value);
    if (typed === undefined) throw invalid(kind, `field "${name}" takes an Edm.${type}`);
    // As the table will give it back: the row, the archive and the peers must hold one and the same.
    values.set(name, typed === null ? null : canonicalValue(typed));
  }
  return values;
}

/** As `toFieldValues`, for an entity that is meant whole: what it does not name is null. */
export function toAllFieldValues<K extends EntityKind>(
  kind: K,
  entity: Partial<EntityOf<K>>,
): FieldValues {
  const values = new Map<string, NullableFieldValue>();
  for (const name of kind.edmTypes.keys()) values.set(name, null);
  for (const [name, value] of toFieldValues(kind, entity)) values.set(name, value);
  return values;
}

/** The entity as ordinary values: every field of the kind, null where there is no column. */
export function toEntity<K extends EntityKind>(kind: K, state: EntityState): EntityOf<K> {
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
      return typeof value === 'string' ? { type, value } : undefined;
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
      return value instanceof Uint8Array ? { type, value } : undefined;
    default:
      return assertNever(type);
  }
}

function invalid(kind: EntityKind, what: string): TerminalError {
  return new TerminalError('ENTITY_INVALID', `An entity of ${kind.name} ${what}.`);
}
