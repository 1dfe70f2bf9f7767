import { assertNever } from '../errors.ts';
import { readInstantMs } from '../time/instant.ts';

/**
 * One typed value, with the Edm type under which Table Storage keeps it, so that an Int64 stays an
 * Int64 from one region's row over the wire to the other's (I12). An absent column is `null`.
 *
 * DateTime and Guid are text: Table Storage keeps 100 ns, a JavaScript `Date` only milliseconds.
 */
export type FieldValue =
  | { readonly type: 'String'; readonly value: string }
  | { readonly type: 'Boolean'; readonly value: boolean }
  | { readonly type: 'Int32'; readonly value: number }
  | { readonly type: 'Int64'; readonly value: bigint }
  | { readonly type: 'Double'; readonly value: number }
  | { readonly type: 'DateTime'; readonly value: string }
  | { readonly type: 'Guid'; readonly value: string }
  | { readonly type: 'Binary'; readonly value: Uint8Array };

export type EdmType = FieldValue['type'];

/** A record, so that a type that is added has to be named here. */
const EDM_TYPES: Readonly<Record<EdmType, true>> = {
  String: true,
  Boolean: true,
  Int32: true,
  Int64: true,
  Double: true,
  DateTime: true,
  Guid: true,
  Binary: true,
};

export function isEdmType(value: unknown): value is EdmType {
  return typeof value === 'string' && Object.hasOwn(EDM_TYPES, value);
}

/** A field that was set to nothing keeps its stamp, so that the removal travels like any value. */
export type NullableFieldValue = FieldValue | null;

export function isSameValue(a: NullableFieldValue, b: NullableFieldValue): boolean {
  if (a === null || b === null) return a === b;
  if (a.type !== b.type) return false;
  if (a.type === 'Binary' && b.type === 'Binary') return isSameBytes(a.value, b.value);
  return Object.is(a.value, b.value);
}

function isSameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/**
 * Returns the one spelling in which a table keeps a value, so that a value reads back as it was written
 * whichever store holds it: Table Storage itself returns a DateTime without the trailing zeros of its fraction
 * and a Guid in lower case, and JSON has no negative zero.
 */
export function canonicalValue(value: FieldValue): FieldValue {
  switch (value.type) {
    case 'DateTime':
      return { type: 'DateTime', value: canonicalDateTime(value.value) };
    case 'Guid':
      return { type: 'Guid', value: value.value.toLowerCase() };
    case 'Int32':
    case 'Double':
      return Object.is(value.value, -0) ? { type: value.type, value: 0 } : value;
    case 'String':
    case 'Boolean':
    case 'Int64':
    case 'Binary':
    default:
      return value;
  }
}

const FRACTION_ZEROS = /(?:\.0*|(\.\d*[1-9])0+)Z$/;

/** Returns the text without the zeros at the end of its fraction. */
export function canonicalDateTime(text: string): string {
  // Most are so already.
  return /[0.]/.test(text.at(-2) ?? '') ? text.replace(FRACTION_ZEROS, '$1Z') : text;
}

/** Is the JSON form of a value: `["Int64","12"]`, or null. It is exact for every Edm type. */
export type EncodedFieldValue = readonly [FieldValue['type'], string | number | boolean] | null;

const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
/** UTC without a leap second: what Table Storage gives back. */
const DATE_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:[0-5]\d(\.\d{1,7})?Z$/;
/** An Edm.DateTime begins here; such texts compare as the instants do. */
const DATE_TIME_MIN = '1601-01-01T00:00:00';
const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

export function encodeFieldValue(value: NullableFieldValue): EncodedFieldValue {
  if (value === null) return null;
  switch (value.type) {
    case 'Int64':
      return ['Int64', value.value.toString()];
    case 'Binary':
      return ['Binary', Buffer.from(value.value).toString('base64')];
    case 'Double':
      return ['Double', isJsonNumber(value.value) ? value.value : doubleToText(value.value)];
    case 'String':
    case 'Boolean':
    case 'Int32':
    case 'DateTime':
    case 'Guid':
      return [value.type, value.value];
    default:
      return assertNever(value);
  }
}

/** Returns undefined for anything that `encodeFieldValue` cannot have written. */
export function decodeFieldValue(encoded: unknown): NullableFieldValue | undefined {
  if (encoded === null) return null;
  if (!Array.isArray(encoded) || encoded.length !== 2) return undefined;
  const [type, value] = encoded as [unknown, unknown];
  const decode = typeof type === 'string' ? DECODERS.get(type) : undefined;
  return decode?.(value);
}

const DECODERS: ReadonlyMap<string, (value: unknown) => FieldValue | undefined> = new Map([
  ['String', (value) => (typeof value === 'string' ? { type: 'String', value } : undefined)],
  ['Boolean', (value) => (typeof value === 'boolean' ? { type: 'Boolean', value } : undefined)],
  ['Int32', (value) => (isInt32(value) ? { type: 'Int32', value } : undefined)],
  ['Int64', decodeInt64],
  ['Double', decodeDouble],
  ['DateTime', (value) => (isDateTimeText(value) ? { type: 'DateTime', value } : undefined)],
  ['Guid', (value) => (isGuidText(value) ? { type: 'Guid', value } : undefined)],
  ['Binary', decodeBinary],
] satisfies [string, (value: unknown) => FieldValue | undefined][]);

export function isInt32(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= INT32_MIN && Number(value) <= INT32_MAX;
}

export function isInt64(value: unknown): value is bigint {
  return typeof value === 'bigint' && value >= INT64_MIN && value <= INT64_MAX;
}

/** UTC, an instant that exists from 1601 on, up to seven digits of a second: what an Edm.DateTime holds. */
export function isDateTimeText(value: unknown): value is string {
  if (typeof value !== 'string' || !DATE_TIME.test(value)) return false;
  return value >= DATE_TIME_MIN && readInstantMs(value) !== undefined;
}

/** Half a surrogate pair is no text: UTF-8 has no bytes for it, and two of them would become one. */
export function isWholeText(value: unknown): value is string {
  return typeof value === 'string' && value.isWellFormed();
}

export function isGuidText(value: unknown): value is string {
  return typeof value === 'string' && GUID.test(value);
}

export function isBase64Text(value: unknown): value is string {
  return typeof value === 'string' && BASE64.test(value);
}

function decodeInt64(value: unknown): FieldValue | undefined {
  if (typeof value !== 'string' || !/^-?\d{1,19}$/.test(value)) return undefined;
  const parsed = BigInt(value);
  return isInt64(parsed) ? { type: 'Int64', value: parsed } : undefined;
}

function decodeDouble(value: unknown): FieldValue | undefined {
  if (typeof value === 'number') return { type: 'Double', value };
  const special = typeof value === 'string' ? SPECIAL_DOUBLES.get(value) : undefined;
  return special === undefined ? undefined : { type: 'Double', value: special };
}

function decodeBinary(value: unknown): FieldValue | undefined {
  if (!isBase64Text(value)) return undefined;
  return { type: 'Binary', value: new Uint8Array(Buffer.from(value, 'base64')) };
}

// JSON has no way to write these four.
const SPECIAL_DOUBLES: ReadonlyMap<string, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['-0', -0],
]);

function isJsonNumber(value: number): boolean {
  return Number.isFinite(value) && !Object.is(value, -0);
}

function doubleToText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}
