/**
 * The JSON Schema keywords of a field that hold on every write. Each Edm type has a list of them, and a
 * keyword that is on no list is refused when the kind is defined: a constraint that is stated and not
 * kept is worse than none. They are judged here and not by TypeBox, which counts graphemes where JSON
 * Schema counts code points, and has no bounds on a `bigint`.
 */
import type { TSchema } from 'typebox';
import type { EdmType } from '../values/field-value.ts';

/** Says what is wrong with a value, which is not null and of the field's Edm type; undefined for nothing. */
export type FieldConstraint = (value: unknown) => string | undefined;

export type FieldConstraints =
  | { readonly kind: 'held'; readonly check: FieldConstraint }
  /** `keyword` cannot be held, or is malformed. */
  | { readonly kind: 'refused'; readonly keyword: string; readonly why: string };

/** Makes the constraint of one keyword; undefined for a bound that is malformed. */
type MakeConstraint = (bound: unknown) => FieldConstraint | undefined;

const minLength: MakeConstraint = (bound) =>
  isCount(bound)
    ? (value) => unless(characters(value as string) >= bound, `has fewer than ${bound} characters`)
    : undefined;

const maxLength: MakeConstraint = (bound) =>
  isCount(bound)
    ? (value) => unless(isAtMost(value as string, bound), `has more than ${bound} characters`)
    : undefined;

const pattern: MakeConstraint = (bound) => {
  const expression = toExpression(bound);
  return (
    expression &&
    ((value) => unless(expression.test(value as string), `does not match ${bound as string}`))
  );
};

const oneOf =
  (isValue: (value: unknown) => boolean): MakeConstraint =>
  (bound) => {
    if (!Array.isArray(bound) || bound.length === 0) return undefined;
    const values = bound.filter((value) => value !== null);
    if (!values.every(isValue)) return undefined;
    return (value) => unless(values.includes(value), 'is none of the values of its enum');
  };

const only =
  (isValue: (value: unknown) => boolean): MakeConstraint =>
  (bound) =>
    isValue(bound) ? (value) => unless(value === bound, `is not ${String(bound)}`) : undefined;

/** `holds` is false for NaN, whatever the bound. */
const compared =
  (
    isBound: (bound: unknown) => bound is number | bigint,
    what: string,
    holds: Comparison,
  ): MakeConstraint =>
  (bound) =>
    isBound(bound)
      ? (value) => unless(holds(value as number | bigint, bound), `is not ${what} ${bound}`)
      : undefined;

type Comparison = (value: number | bigint, bound: number | bigint) => boolean;

const bounds = (
  isBound: (bound: unknown) => bound is number | bigint,
): Record<string, MakeConstraint> => ({
  minimum: compared(isBound, 'at least', (value, bound) => value >= bound),
  maximum: compared(isBound, 'at most', (value, bound) => value <= bound),
  exclusiveMinimum: compared(isBound, 'more than', (value, bound) => value > bound),
  exclusiveMaximum: compared(isBound, 'less than', (value, bound) => value < bound),
});

const values = (isValue: (value: unknown) => boolean): Record<string, MakeConstraint> => ({
  enum: oneOf(isValue),
  const: only(isValue),
});

const multipleOf =
  (isBound: (bound: unknown) => bound is number | bigint): MakeConstraint =>
  (bound) => {
    if (!isBound(bound) || bound <= 0 || !isWhole(bound)) return undefined;
    const divisor = BigInt(bound);
    return (value) =>
      unless(BigInt(value as number | bigint) % divisor === 0n, `is no multiple of ${bound}`);
  };

/** A bound of an Int64 may be written as a number as long as that says exactly which. */
const isInt64Bound = (bound: unknown): bound is number | bigint =>
  typeof bound === 'bigint' || Number.isSafeInteger(bound);
const isFinite = (bound: unknown): bound is number => Number.isFinite(bound);
const isText = (value: unknown): value is string => typeof value === 'string';

const KEYWORDS: Record<EdmType, Readonly<Record<string, MakeConstraint>>> = {
  String: { minLength, maxLength, pattern, ...values(isText) },
  Boolean: values((value) => typeof value === 'boolean'),
  Int32: { ...bounds(isFinite), multipleOf: multipleOf(isFinite), ...values(Number.isInteger) },
  Int64: {
    ...bounds(isInt64Bound),
    multipleOf: multipleOf(isInt64Bound),
    ...values((value) => typeof value === 'bigint'),
  },
  // A multiple of 0.1 is no exact thing in binary.
  Double: { ...bounds(isFinite), ...values(Number.isFinite) },
  DateTime: {},
  Guid: {},
  Binary: {},
};

/** What `type` may say, sorted: every field may be null. */
const JSON_TYPES: Record<EdmType, readonly string[]> = {
  String: ['null,string'],
  Boolean: ['boolean,null'],
  Int32: ['integer,null'],
  Int64: [],
  Double: ['null,number'],
  DateTime: ['null,string'],
  Guid: ['null,string'],
  Binary: [],
};

/** Keywords that say something of a field and forbid no value. */
export const ANNOTATIONS: ReadonlySet<string> = new Set([
  'title',
  'description',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
  '$id',
  '$comment',
]);

/** What TypeBox itself adds to a schema, and what tells nothing about values. */
export const MARKS: ReadonlySet<string> = new Set([
  '~kind',
  '~unsafe',
  '~optional',
  '~readonly',
  '~immutable',
]);

const NOTHING_WRONG: FieldConstraint = () => undefined;

/** Returns the one check of all constraints that the schema states, or the first that cannot be held. */
export function readConstraints(schema: TSchema, type: EdmType): FieldConstraints {
  const checks: FieldConstraint[] = [];
  for (const keyword of Reflect.ownKeys(schema).map(String)) {
    const bound = (schema as Readonly<Record<string, unknown>>)[keyword];
    if (keyword === 'edm' || bound === undefined) continue;
    if (ANNOTATIONS.has(keyword) || MARKS.has(keyword)) continue;
    if (keyword === 'type') {
      if (JSON_TYPES[type].includes(sorted(bound))) continue;
      const why = `an Edm.${type} that may be null is not of these JSON types: leave "type" to edm`;
      return { kind: 'refused', keyword, why };
    }
    const make = Object.hasOwn(KEYWORDS[type], keyword) ? KEYWORDS[type][keyword] : undefined;
    if (make === undefined) return { kind: 'refused', keyword, why: whyNot(type) };
    const check = make(bound);
    if (check === undefined) {
      return {
        kind: 'refused',
        keyword,
        why: `its value is none that an Edm.${type} can be held to`,
      };
    }
    checks.push(check);
  }
  return { kind: 'held', check: joinChecks(checks) };
}

function whyNot(type: EdmType): string {
  const known = Object.keys(KEYWORDS[type]);
  const list = known.length === 0 ? 'no constraints' : known.join(', ');
  return `an Edm.${type} takes ${list}; check anything else before you write`;
}

function joinChecks(checks: readonly FieldConstraint[]): FieldConstraint {
  const [first, ...rest] = checks;
  if (first === undefined) return NOTHING_WRONG;
  if (rest.length === 0) return first;
  return (value) => {
    for (const check of checks) {
      const wrong = check(value);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  };
}

function unless(holds: boolean, wrong: string): string | undefined {
  return holds ? undefined : wrong;
}

/** Nearly every text is short enough however it is counted. */
function isAtMost(text: string, count: number): boolean {
  return text.length <= count || characters(text) <= count;
}

/** Counts as JSON Schema does: code points. */
function characters(text: string): number {
  let count = text.length;
  for (let index = 0; index < text.length; index += 1) {
    if (text.codePointAt(index)! > UNIT_MAX) {
      count -= 1;
      index += 1;
    }
  }
  return count;
}

/** Is the greatest code point of one UTF-16 unit. */
const UNIT_MAX = 0xffff;

function isCount(bound: unknown): bound is number {
  return Number.isSafeInteger(bound) && (bound as number) >= 0;
}

function isWhole(bound: number | bigint): boolean {
  return typeof bound === 'bigint' || Number.isSafeInteger(bound);
}

function toExpression(bound: unknown): RegExp | undefined {
  if (typeof bound !== 'string') return undefined;
  try {
    return new RegExp(bound, 'u');
  } catch {
    // What is no regular expression is refused as a bound.
    return undefined;
  }
}

function sorted(types: unknown): string {
  return Array.isArray(types) ? types.map(String).sort().join(',') : String(types);
}
