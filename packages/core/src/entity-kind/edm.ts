import { type TSchemaOptions, type TUnsafe, Type } from 'typebox';

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
  /** A `bigint`. */
  int64: (options: TSchemaOptions = {}): TUnsafe<bigint | null> =>
    field<bigint>('Int64', {}, options),
  double: (options: TSchemaOptions = {}): TUnsafe<number | null> =>
    field<number>('Double', {}, options),
  /** UTC text with up to seven digits of a second, as Table Storage keeps them. */
  dateTime: (options: TSchemaOptions = {}): TUnsafe<string | null> =>
    field<string>('DateTime', { type: ['string', 'null'] }, options),
  guid: (options: TSchemaOptions = {}): TUnsafe<string | null> =>
    field<string>('Guid', { type: ['string', 'null'] }, options),
  /** A `Uint8Array`. */
  binary: (options: TSchemaOptions = {}): TUnsafe<Uint8Array | null> =>
    field<Uint8Array>('Binary', {}, options),
} as const;
