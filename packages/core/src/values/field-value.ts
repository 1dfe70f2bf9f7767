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
