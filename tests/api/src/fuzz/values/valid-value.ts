import fc, { type Arbitrary } from 'fast-check';
import type { Schema } from '../../document/document.ts';

type Resolve = (schema: Schema) => Schema;

const LENGTH_DEFAULT = 40;
const ITEMS_MAX = 5;
const INTEGER_MAX = 1_000_000;
const DEPTH_MAX = 8;

export interface ValueOptions {
  readonly resolve: Resolve;
  /** As short, long, small and large as the schema lets it be. */
  readonly isAtBounds: boolean;
  readonly depth?: number;
}

const made = new Map<Schema, Map<boolean, Arbitrary<unknown>>>();

/** Values that the schema allows, and that any table can keep: no NUL, no half of a pair. */
export function validValue(schema: Schema, options: ValueOptions): Arbitrary<unknown> {
  const ofSchema = made.get(schema) ?? new Map<boolean, Arbitrary<unknown>>();
  made.set(schema, ofSchema);
  const value = ofSchema.get(options.isAtBounds) ?? makeValue(schema, options);
  ofSchema.set(options.isAtBounds, value);
  return value;
}

function makeValue(given: Schema, options: ValueOptions): Arbitrary<unknown> {
  const schema = options.resolve(given);
  const depth = options.depth ?? 0;
  if (depth > DEPTH_MAX) return fc.constant(null);
  const inner = { ...options, depth: depth + 1 };
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices !== undefined) return fc.oneof(...choices.map((one) => validValue(one, inner)));
  if (schema.allOf !== undefined) return validValue(Object.assign({}, ...schema.allOf), inner);
  const types = [schema.type ?? guessType(schema)].flat();
  return fc.oneof(...types.map((type) => ofType(type, schema, inner)));
}

function guessType({ properties, items }: Schema): string {
  if (properties !== undefined) return 'object';
  return items === undefined ? 'string' : 'array';
}

function ofType(type: string, schema: Schema, options: ValueOptions): Arbitrary<unknown> {
  switch (type) {
    case 'string':
      return text(schema, options.isAtBounds);
    case 'integer':
    case 'number':
      return number(schema, options.isAtBounds);
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'array':
      return list(schema, options);
    case 'object':
      return object(schema, options);
    default:
      throw new Error(`The document has a value of type ${type}, which nothing here can make.`);
  }
}

/** Characters of one, two, three and four bytes; nothing that joins with its neighbour. */
const CHARACTER = fc.constantFrom(...Array.from('abcXYZ019 ._-/ äöß€漢字😀'));

function text(schema: Schema, isAtBounds: boolean): Arbitrary<string> {
  const {
    minLength = 0,
    maxLength = Math.max(minLength, LENGTH_DEFAULT),
    pattern,
    format,
  } = schema;
  if (format === 'uuid') return fc.uuid();
  if (format === 'date-time') return time(pattern);
  if (pattern !== undefined) return matching(pattern, { minLength, maxLength, isAtBounds });
  const lengths = isAtBounds
    ? fc.constantFrom(minLength, maxLength)
    : fc.integer({ min: minLength, max: Math.min(maxLength, minLength + LENGTH_DEFAULT) });
  return lengths.chain((length) =>
    fc.string({ unit: CHARACTER, minLength: length, maxLength: length }),
  );
}

/** In one of the notations of RFC 3339 that the pattern takes. */
function time(pattern = ''): Arbitrary<string> {
  const times = fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) });
  const precise = times.map((date) => date.toISOString());
  const whole = precise.map((text) => text.replace(/\.\d+/, ''));
  return fc.oneof(precise, whole).filter((text) => new RegExp(pattern, 'u').test(text));
}

interface Bounds {
  readonly minLength: number;
  readonly maxLength: number;
  readonly isAtBounds: boolean;
}

function matching(
  pattern: string,
  { minLength, maxLength, isAtBounds }: Bounds,
): Arbitrary<string> {
  const expression = new RegExp(pattern, 'u');
  return fc
    .stringMatching(expression, { size: '-1' })
    .map((made) => (isAtBounds ? stretched(made, maxLength) : made))
    .map((made) => (expression.test(made) ? made : 'a@b'))
    .filter((made) => {
      const length = lengthOf(made);
      return (
        length >= minLength && length <= maxLength && isStorable(made) && expression.test(made)
      );
    });
}

/** By its first letter, where it begins with one. */
function stretched(made: string, length: number): string {
  const first = /^[a-z]/i.exec(made)?.[0];
  return first === undefined ? made : first.repeat(Math.max(0, length - lengthOf(made))) + made;
}

/** As JSON Schema counts: in code points. */
function lengthOf(made: string): number {
  return Array.from(made).length;
}

function isStorable(made: string): boolean {
  return made.isWellFormed() && !/\p{Cc}/u.test(made);
}

function number(schema: Schema, isAtBounds: boolean): Arbitrary<number> {
  const { minimum: min = 0, maximum: max = INTEGER_MAX } = schema;
  return isAtBounds ? fc.constantFrom(min, max) : fc.integer({ min, max });
}

function list(schema: Schema, options: ValueOptions): Arbitrary<unknown[]> {
  const { items = {}, minItems = 0, maxItems = Math.max(minItems, ITEMS_MAX) } = schema;
  const item = validValue(items, options);
  const ofLength = (minLength: number, maxLength: number): Arbitrary<unknown[]> =>
    fc.array(item, { minLength, maxLength, size: 'max' });
  if (!options.isAtBounds) return ofLength(minItems, Math.min(maxItems, minItems + ITEMS_MAX));
  // Mostly the short ones: what the long ones write makes every later look at all of it slower.
  const short = { weight: 9, arbitrary: ofLength(minItems, minItems) };
  return fc.oneof(short, { weight: 1, arbitrary: ofLength(maxItems, maxItems) });
}

function object(schema: Schema, options: ValueOptions): Arbitrary<object> {
  const { properties = {}, required = [] } = schema;
  const { minProperties = 0, maxProperties = Number.POSITIVE_INFINITY } = schema;
  const members = Object.entries(properties).map(([name, one]) => [name, validValue(one, options)]);
  const settings = { requiredKeys: [...required], noNullPrototype: true };
  const record = Object.fromEntries(members) as Record<string, Arbitrary<unknown>>;
  if (maxProperties >= members.length && minProperties <= required.length) {
    return fc.record(record, settings);
  }
  const names = Object.keys(record).filter((name) => !required.includes(name));
  const length = { minLength: minProperties - required.length, maxLength: maxProperties };
  return fc.shuffledSubarray(names, length).chain((chosen) => {
    const own = [...required, ...chosen].map((name) => [name, record[name]]);
    return fc.record(Object.fromEntries(own) as Record<string, Arbitrary<unknown>>);
  });
}
