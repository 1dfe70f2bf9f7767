import {
  type Static,
  type TObject,
  type TSchema,
  type TSchemaOptions,
  type TUnsafe,
  Type,
} from 'typebox';
import { TerminalError } from '../errors.ts';
import { findFieldNameFault } from '../state/entity-state.ts';
import type { MergePolicy } from '../state/write-entity.ts';
import { type EdmType, isEdmType } from '../values/field-value.ts';
import { type FieldBudget, shareBudgets, UNKNOWN_FIELDS_MAX } from './field-budgets.ts';
import { ANNOTATIONS, type FieldConstraint, MARKS, readConstraints } from './field-constraint.ts';
import { bucketTextOfOpenId, isOpenId } from './open-id.ts';

/** Holds what replication needs of any kind of entity, whatever its entities hold. */
interface KindBase {
  /** Names the table too. */
  readonly name: string;
  /** How concurrent writes merge that do not say it themselves. */
  readonly policy: MergePolicy;
  readonly isEntityId: (text: string) => boolean;
  /** Returns the part of an id that its bucket is a hash of: entities that have it in common lie together. */
  readonly bucketTextOf: (entityId: string) => string;
}

/** A kind whose fields are known beforehand, with their Edm types. */
export interface TypedKind<S extends TObject = TObject> extends KindBase {
  readonly form: 'typed';
  readonly schema: S;
  readonly edmTypes: ReadonlyMap<string, EdmType>;
  /** For each field what its schema asks of a value that is not null. */
  readonly constraints: ReadonlyMap<string, FieldConstraint>;
  /** How much each field may take: see docs/adr/0019. */
  readonly budgets: ReadonlyMap<string, FieldBudget>;
  /** Fields of a newer build that a row of this one may hold beside its own. */
  readonly unknownFieldsMax: number;
  /** Fields that a put leaves as they are unless it names them. */
  readonly keptFields: ReadonlySet<string>;
}

/**
 * A kind whose entities have any fields that Table Storage takes. Their ids are those of `encodeOpenId`: the
 * rows of many tables lie in one, each table's in the order of its keys (docs/adr/0034).
 */
export interface OpenKind extends KindBase {
  readonly form: 'open';
}

/**
 * A kind of entity that is replicated. Everything but `core/customers` and the apps is generic over kinds, and
 * over both forms of them where it can be.
 */
export type EntityKind = TypedKind | OpenKind;

/** An entity of a kind: its fields as ordinary values; an absent or null field has no column. */
export type EntityOf<K extends TypedKind> = Static<K['schema']>;

export interface EntityKindOptions<S extends TObject> {
  /** 3 to 30 letters and digits, a letter first; none of Tandem's own tables. Names the table. */
  readonly name: string;
  /**
   * Every property states its Edm type: use the builders of `edm`. Every field may be null, which breaks no
   * constraint. What else the schema states holds on every write, or is refused here.
   */
  readonly schema: S;
  /** Is `field` by default. */
  readonly policy?: MergePolicy;
  /**
   * Fields that say something of the entity's life and not of what its users put there: a put, which sets
   * what it does not name to null, leaves them as they are. A new life begins without them. None by default.
   */
  readonly keptFields?: readonly string[];
  /** Whether a text can be an id; any well-formed text can by default. */
  readonly isEntityId?: (text: string) => boolean;
  /**
   * Returns the part of an id that the bucket is a hash of, the whole id by default: entities that have it in common
   * lie together, so a transaction may hold several of them. The same in every region, and for good: rows would
   * be looked for where they are not.
   */
  readonly partitionOf?: (entityId: string) => string;
}

/** Table Storage holds 252 properties a row; the rest is kept for the system's own and unknown ones. */
const FIELDS_MAX = 240;
const FIELDS_WITH_UNKNOWN_MAX = 245;

const KIND_NAME = /^[A-Za-z][A-Za-z0-9]{2,29}$/;
/** Kinds of Tandem's own: all rows of the tables of clients in either space, their twin without peers, and the catalogue. */
const OWN_KIND_NAMES: ReadonlySet<string> = new Set(['Rows', 'Rows2', 'LocalRows', 'Catalog']);
/** Table names are one and the same in either case; the service itself keeps the last one. */
const RESERVED_KIND_NAMES: ReadonlySet<string> = new Set([
  'archive',
  'conflicts',
  'configuration',
  'replication',
  'tables',
  ...[...OWN_KIND_NAMES].map((name) => name.toLowerCase()),
]);
/** What `Type.Object` may state besides annotations: whatever the fields are, it holds. */
const OBJECT_KEYWORDS: ReadonlySet<string> = new Set(['type', 'properties', 'required']);

/**
 * Throws `ENTITY_KIND_INVALID`, naming the field and the constraint, for a kind that could not be kept as
 * it is stated.
 */
export function defineEntityKind<S extends TObject>(options: EntityKindOptions<S>): TypedKind<S> {
  checkKindName(options.name);
  return defineTypedKind(options);
}

function defineTypedKind<S extends TObject>(options: EntityKindOptions<S>): TypedKind<S> {
  const { name, schema, policy = 'field', keptFields = [], isEntityId = () => true } = options;
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
    form: 'typed',
    name,
    schema,
    policy,
    edmTypes,
    constraints,
    budgets,
    unknownFieldsMax,
    keptFields: new Set(keptFields),
    isEntityId,
    bucketTextOf: options.partitionOf ?? ((entityId) => entityId),
  };
}

/** Returns a kind of Tandem's own; throws `ENTITY_KIND_INVALID` for a name that is not kept for one. */
export function defineOwnKind<S extends TObject>(options: EntityKindOptions<S>): TypedKind<S> {
  const { name } = options;
  if (OWN_KIND_NAMES.has(name)) return defineTypedKind(options);
  throw invalid(name, 'Tandem keeps no such name. Use defineEntityKind', {});
}

export interface OpenKindOptions {
  /** 3 to 30 letters and digits, a letter first; none of Tandem's own tables. Names the table. */
  readonly name: string;
}

/**
 * Returns a kind whose entities are the rows of any number of tables. Throws `ENTITY_KIND_INVALID` for a name
 * that no kind can have.
 */
export function defineOpenKind({ name }: OpenKindOptions): OpenKind {
  checkKindName(name);
  return openKindOf(name);
}

function openKindOf(name: string): OpenKind {
  return {
    form: 'open',
    name,
    policy: 'row',
    isEntityId: isOpenId,
    bucketTextOf: bucketTextOfOpenId,
  };
}

/** Holds the rows of all tables of clients, in every region. */
export const rowsKind: OpenKind = openKindOf('Rows');
/** Holds the rows of those tables that were moved to another number of buckets: docs/adr/0044. */
export const otherRowsKind: OpenKind = openKindOf('Rows2');
/** Holds the rows of those tables that are not replicated. */
export const localRowsKind: OpenKind = openKindOf('LocalRows');

/** Tells whether what is written of a kind leaves its region. */
export function isReplicated(entityKind: string): boolean {
  return entityKind !== localRowsKind.name;
}

/** Returns those of a region's peers that it exchanges a kind with: none for what is not replicated. */
export function peersOfKind(entityKind: string, peers: readonly string[]): readonly string[] {
  return isReplicated(entityKind) ? peers : [];
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
  const keys = Reflect.ownKeys(schema);
  if (keys.some((key) => typeof key === 'symbol')) {
    // Before its version 1 TypeBox was another package, and marked its schemas with symbols.
    const what =
      'its schema was made by an older TypeBox. Make it with the package "typebox", version 1: npm install typebox@1';
    throw invalid(name, what, {});
  }
  for (const keyword of keys.map(String)) {
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

/**
 * Schemas that state the Edm type of a column, as the keyword `edm`. All are nullable: a column that
 * is absent reads as null. What they build takes exactly what Table Storage keeps and gives back. Of further
 * options those that describe pass through, and those that constrain hold on every write of a value:
 * `maxLength`, `minLength` and `pattern` of a text, `minimum`, `maximum` and their exclusive forms of a
 * number (of an Int64 as a `bigint` too), `multipleOf` of a whole number, `enum` and `const` of any of them
 * and of a boolean. `defineEntityKind` refuses every other.
 */
function field<T>(edm: string, json: TSchemaOptions, options: TSchemaOptions): TUnsafe<T | null> {
  return Type.Unsafe<T | null>({ ...json, ...options, edm });
}

export const edm = {
  string: (options: TSchemaOptions = {}): TUnsafe<string | null> =>
    field<string>('String', { type: ['string', 'null'] }, options),
  boolean: (options: TSchemaOptions = {}): TUnsafe<boolean | null> =>
    field<boolean>('Boolean', { type: ['boolean', 'null'] }, options),
  int32: (options: TSchemaOptions = {}): TUnsafe<number | null> =>
    field<number>('Int32', { type: ['integer', 'null'] }, options),
  /** Declares a column whose values are `bigint`. */
  int64: (options: TSchemaOptions = {}): TUnsafe<bigint | null> =>
    field<bigint>('Int64', {}, options),
  double: (options: TSchemaOptions = {}): TUnsafe<number | null> =>
    field<number>('Double', {}, options),
  /** UTC text with up to seven digits of a second, as Table Storage keeps them. */
  dateTime: (options: TSchemaOptions = {}): TUnsafe<string | null> =>
    field<string>('DateTime', { type: ['string', 'null'] }, options),
  guid: (options: TSchemaOptions = {}): TUnsafe<string | null> =>
    field<string>('Guid', { type: ['string', 'null'] }, options),
  /** Declares a column whose values are `Uint8Array`. */
  binary: (options: TSchemaOptions = {}): TUnsafe<Uint8Array | null> =>
    field<Uint8Array>('Binary', {}, options),
} as const;
