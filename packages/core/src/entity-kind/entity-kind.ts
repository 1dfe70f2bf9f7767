import type { Static, TObject, TSchema } from 'typebox';
import type { EdmType } from '../values/field-value.ts';
import { assert } from '../errors.ts';
import { isFieldName } from '../state/entity-state.ts';
import type { MergePolicy } from '../state/write-entity.ts';

/**
 * A kind of entity that is replicated: its name (also the name of its table), its fields with their
 * Edm types, and how concurrent writes merge. Everything but `core/customers` and the apps is
 * generic over kinds.
 */
export interface EntityKind<S extends TObject = TObject> {
  readonly name: string;
  readonly schema: S;
  readonly policy: MergePolicy;
  readonly edmTypes: ReadonlyMap<string, EdmType>;
  readonly isEntityId: (text: string) => boolean;
}

/** An entity of a kind: its fields as ordinary values; an absent or null field has no column. */
export type EntityOf<K extends EntityKind> = Static<K['schema']>;

export interface EntityKindOptions<S extends TObject> {
  /** 3 to 30 letters and digits, a letter first. */
  readonly name: string;
  /** Every property states its Edm type: use the builders of `edm`. */
  readonly schema: S;
  /** `field` by default. */
  readonly policy?: MergePolicy;
  /** Whether a text can be an id; any text can by default. */
  readonly isEntityId?: (text: string) => boolean;
}

/** Table Storage holds 252 properties a row; this many are kept for the system's own columns. */
export const FIELDS_MAX = 240;

const KIND_NAME = /^[A-Za-z][A-Za-z0-9]{2,29}$/;

export function defineEntityKind<S extends TObject>(options: EntityKindOptions<S>): EntityKind<S> {
  const { name, schema, policy = 'field', isEntityId = () => true } = options;
  assert(KIND_NAME.test(name), `"${name}" is no name for an entity kind`);
  const edmTypes = new Map<string, EdmType>();
  for (const [field, fieldSchema] of Object.entries(schema.properties)) {
    assert(isFieldName(field), `"${field}" is no name for a field of ${name}`);
    assert(field !== 'referenceId', `a field of ${name} takes the name of a system column`);
    edmTypes.set(field, edmTypeOf(fieldSchema, field));
  }
  assert(edmTypes.size <= FIELDS_MAX, `${name} has more than ${FIELDS_MAX} fields`);
  return { name, schema, policy, edmTypes, isEntityId };
}

function edmTypeOf(schema: TSchema, field: string): EdmType {
  const { edm } = schema as { edm?: EdmType };
  assert(edm !== undefined, `field "${field}" states no Edm type: use the builders of edm`);
  return edm;
}
