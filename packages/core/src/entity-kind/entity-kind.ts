import type { Static, TObject, TSchema } from 'typebox';
import { TerminalError } from '../errors.ts';
import { findFieldNameFault } from '../state/entity-state.ts';
import type { MergePolicy } from '../state/write-entity.ts';
import { type EdmType, isEdmType } from '../values/field-value.ts';
import { type FieldBudget, shareBudgets, UNKNOWN_FIELDS_MAX } from './field-budgets.ts';
import { ANNOTATIONS, type FieldConstraint, MARKS, readConstraints } from './field-constraint.ts';

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
  /** For each field what its schema asks of a value that is not null. */
  readonly constraints: ReadonlyMap<string, FieldConstraint>;
  /** How much each field may take: see docs/adr/0019. */
  readonly budgets: ReadonlyMap<string, FieldBudget>;
  /** Fields of a newer build that a row of this one may hold beside its own. */
  readonly unknownFieldsMax: number;
  /** Fields that a put leaves as they are unless it names them. */
  readonly keptFields: ReadonlySet<string>;
  readonly isEntityId: (text: string) => boolean;
}

/** An entity of a kind: its fields as ordinary values; an absent or null field has no column. */
export type EntityOf<K extends EntityKind> = Static<K['schema']>;

export interface EntityKindOptions<S extends TObject> {
  /** 3 to 30 letters and digits, a letter first; none of Tandem's own tables. Names the table. */
  readonly name: string;
  /**
   * Every property states its Edm type: use the builders of `edm`. Every field may be null, which breaks no
   * constraint. What else the schema states holds on every write, or is refused here.
   */
  readonly schema: S;
  /** `field` by default. */
  readonly policy?: MergePolicy;
  /**
   * Fields that say something of the entity's life and not of what its users put there: a put, which sets
   * what it does not name to null, leaves them as they are. A new life begins without them. None by default.
   */
  readonly keptFields?: readonly string[];
  /** Whether a text can be an id; any well-formed text can by default. */
  readonly isEntityId?: (text: string) => boolean;
}

/** Table Storage holds 252 properties a row; the rest is kept for the system's own and unknown ones. */
const FIELDS_MAX = 240;
const FIELDS_WITH_UNKNOWN_MAX = 245;

const KIND_NAME = /^[A-Za-z][A-Za-z0-9]{2,29}$/;
/** Table names are one and the same in either case; the service itself keeps the last one. */
const RESERVED_KIND_NAMES: ReadonlySet<string> = new Set([
  'archive',
  'conflicts',
  'configuration',
  'replication',
  'tables',
]);
/** What `Type.Object` may state besides annotations: whatever the fields are, it holds. */
const OBJECT_KEYWORDS: ReadonlySet<string> = new Set(['type', 'properties', 'required']);

/**
 * Throws `ENTITY_KIND_INVALID`, naming the field and the constraint, for a kind that could not be kept as
 * it is stated.
 */
export function defineEntityKind<S extends TObject>(options: EntityKindOptions<S>): EntityKind<S> {
  const { name, schema, policy = 'field', keptFields = [], isEntityId = () => true } = options;
  checkKindName(name);
  checkObject(name, schema);
  const edmTypes = new Map<string, EdmType>();
  const constraints = new Map<string, FieldConstraint>();
  for (const [field, fieldSchema] of Object.entries(schema.properties)) {
    const fault = findFieldNameFault(field);
    if (fault !== undefined) {
      throw invalid(name, `field "${field}" cannot be named so: ${fault}. Choose another name`, {
        field,
      });
    }
    const type = edmTypeOf(name, field, fieldSchema);
    const read = readConstraints(fieldSchema, type);
    if (read.kind === 'refused') {
      const what = `field "${field}": its constraint "${read.keyword}" would not be held: ${read.why}`;
      throw invalid(name, what, { field, constraint: read.keyword });
    }
    edmTypes.set(field, type);
    constraints.set(field, read.check);
  }
  if (edmTypes.size > FIELDS_MAX) {
    throw invalid(
      name,
      `it has ${edmTypes.size} fields, the limit is ${FIELDS_MAX}. Join some`,
      {},
    );
  }
  const sizes = [...edmTypes].map(([field, type]) => {
    const { maxLength: lengthMax } = schema.properties[field] as { maxLength?: number };
    return { name: field, type, lengthMax };
  });
  const budgets = shareBudgets(sizes);
  if (budgets === undefined) {
    throw invalid(
      name,
      'the names of its fields are too long together. Shorten them, or join some',
      {},
    );
  }
  const unknownFieldsMax = Math.min(UNKNOWN_FIELDS_MAX, FIELDS_WITH_UNKNOWN_MAX - edmTypes.size);
  for (const field of keptFields) {
    if (edmTypes.has(field)) continue;
    throw invalid(name, `field "${field}" is to be kept, and it has none of that name`, { field });
  }
  return {
    name,
    schema,
    policy,
    edmTypes,
    constraints,
    budgets,
    unknownFieldsMax,
    keptFields: new Set(keptFields),
    isEntityId,
  };
}

function checkKindName(name: string): void {
  if (typeof name !== 'string' || !KIND_NAME.test(name)) {
    throw invalid(name, 'a name has 3 to 30 letters and digits, a letter first', {});
  }
  if (!RESERVED_KIND_NAMES.has(name.toLowerCase())) return;
  throw invalid(name, 'a table of this name holds something else. Choose another name', {});
}

function checkObject(name: string, schema: TObject): void {
  if (typeof schema?.properties !== 'object' || schema.properties === null) {
    throw invalid(name, 'its schema is no object of fields: use Type.Object', {});
  }
  for (const keyword of Reflect.ownKeys(schema).map(String)) {
    if (OBJECT_KEYWORDS.has(keyword) || ANNOTATIONS.has(keyword) || MARKS.has(keyword)) continue;
    const bound = (schema as unknown as Readonly<Record<string, unknown>>)[keyword];
    // Fields that the kind does not have are refused in any case.
    if (bound === undefined || (keyword === 'additionalProperties' && bound === false)) continue;
    const what = `its schema's constraint "${keyword}" would not be held: state constraints of fields`;
    throw invalid(name, what, { constraint: keyword });
  }
}

function edmTypeOf(name: string, field: string, schema: TSchema): EdmType {
  const { edm } = schema as { edm?: unknown };
  if (isEdmType(edm)) return edm;
  throw invalid(name, `field "${field}" states no Edm type: use the builders of edm`, { field });
}

function invalid(kind: string, what: string, details: Record<string, unknown>): TerminalError {
  const message = `Entity kind ${JSON.stringify(kind)} cannot be defined: ${what}.`;
  return new TerminalError('ENTITY_KIND_INVALID', message, { details: { kind, ...details } });
}
