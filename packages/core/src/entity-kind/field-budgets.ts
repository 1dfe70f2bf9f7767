// How much each field of a kind may take, so that whatever values concurrent writes join to, the entity
// still fits one change set, one message, one row and one archive record. See docs/adr/0019.
import type { EdmType, FieldValue } from '../values/field-value.ts';

/**
 * A change set must fit one Service Bus message, 256 KiB on Standard with its headers and properties
 * (https://learn.microsoft.com/azure/service-bus-messaging/service-bus-quotas).
 */
export const CHANGE_SET_BYTES_MAX = 240 * 1024;
/** The members of a change set besides its changes. */
export const SET_HEAD_BYTES_MAX = 512;

/** Bounds the fields that a newer build of a peer has, and this one keeps without knowing them. */
export const UNKNOWN_FIELDS_MAX = 16;
export const UNKNOWN_FIELD_BYTES_MAX = 1_024;

/** Regions that a version vector names: 33 that send, and the former ones. */
export const VECTOR_REGIONS_MAX = 48;

export interface FieldBudget {
  /** Counts the bytes of the value in its JSON form, in any state that is held, sent or taken. */
  readonly bytesMax: number;
  /**
   * Bounds a value that is written now. It is less where the field has a share and no length of its own: shares
   * shrink when a kind gets more fields, and what is held must stay sendable then.
   */
  readonly writtenBytesMax: number;
}

/** A stamp with its quotes and a comma. */
const STAMP_BYTES_MAX = 69;
/** A change without its fields: an id of 512 units of six bytes, three stamps, the vector, the trace. */
const CHANGE_FRAME_BYTES_MAX = 512 * 6 + 3 * 80 + (VECTOR_REGIONS_MAX + 1) * STAMP_BYTES_MAX + 256;
/** Counts what a field takes besides its name and value: its stamp, quotes, brackets, colon and commas. */
const FIELD_FRAME_BYTES = STAMP_BYTES_MAX + 8;
const NAME_LENGTH_MAX = 128;
/** Bounds the longest number, DateTime or Guid with its type. */
const SCALAR_BYTES_MAX = 64;
/** Brackets, quotes and the name of the type, of a String or a Binary. */
const VALUE_FRAME_BYTES = 16;
/** A UTF-16 unit that JSON escapes. */
const UNIT_BYTES_MAX = 6;
/** Table Storage holds 64 KiB in a column, a String as UTF-16. */
const COLUMN_BYTES_MAX = 64 * 1024;
const WRITTEN_SHARE = 0.8;
/** The column `_stamps` names each field beside its stamp, as UTF-16. */
const STAMPS_COLUMN_UNITS_MAX = COLUMN_BYTES_MAX / 2;

export interface FieldSize {
  readonly name: string;
  readonly type: EdmType;
  /** Counts a String in UTF-16 units, a Binary in bytes; undefined when its schema does not say. */
  readonly lengthMax: number | undefined;
}

/**
 * Returns the budget of each field, or undefined where the names alone are too long for a row. A field takes
 * what its `maxLength` can need where there is room for that; the others get equal shares of what is left.
 */
export function shareBudgets(
  fields: readonly FieldSize[],
): ReadonlyMap<string, FieldBudget> | undefined {
  const unknownFrames = UNKNOWN_FIELDS_MAX * (FIELD_FRAME_BYTES + NAME_LENGTH_MAX);
  const stampsUnits = (names: number, units: number): number => names * STAMP_BYTES_MAX + units;
  const nameUnits = fields.reduce((sum, { name }) => sum + name.length + 6, 0);
  const unknownUnits = UNKNOWN_FIELDS_MAX * (NAME_LENGTH_MAX + 6);
  const units =
    stampsUnits(fields.length, nameUnits) + stampsUnits(UNKNOWN_FIELDS_MAX, unknownUnits);
  if (units > STAMPS_COLUMN_UNITS_MAX) return undefined;
  let left =
    CHANGE_SET_BYTES_MAX -
    SET_HEAD_BYTES_MAX -
    CHANGE_FRAME_BYTES_MAX -
    unknownFrames -
    UNKNOWN_FIELDS_MAX * UNKNOWN_FIELD_BYTES_MAX;
  for (const { name } of fields) left -= FIELD_FRAME_BYTES + name.length;
  const wants = fields.map((field) => ({ field, bytes: bytesWanted(field) }));
  wants.sort((a, b) => a.bytes - b.bytes);
  const budgets = new Map<string, FieldBudget>();
  for (const [place, { field, bytes }] of wants.entries()) {
    const share = Math.floor(left / (wants.length - place));
    const bytesMax = Math.min(bytes, share);
    left -= bytesMax;
    const writtenBytesMax = bytes <= share ? bytes : Math.floor(share * WRITTEN_SHARE);
    budgets.set(field.name, { bytesMax, writtenBytesMax });
  }
  return budgets;
}

/** Returns the most that a value of the field can take in JSON. */
function bytesWanted({ type, lengthMax }: FieldSize): number {
  if (type === 'String') {
    const units = Math.min(lengthMax ?? COLUMN_BYTES_MAX / 2, COLUMN_BYTES_MAX / 2);
    return units * UNIT_BYTES_MAX + VALUE_FRAME_BYTES;
  }
  if (type === 'Binary') {
    return binaryBytes(Math.min(lengthMax ?? COLUMN_BYTES_MAX, COLUMN_BYTES_MAX));
  }
  return SCALAR_BYTES_MAX;
}

/** Says whether the value takes no more than `bytesMax` in its JSON form. */
export function fitsBytes(field: FieldValue, bytesMax: number): boolean {
  if (field.type === 'Binary') return binaryBytes(field.value.length) <= bytesMax;
  if (field.type !== 'String') return SCALAR_BYTES_MAX <= bytesMax;
  // Most texts are so short that nobody need look at them.
  if (field.value.length * UNIT_BYTES_MAX + VALUE_FRAME_BYTES <= bytesMax) return true;
  return Buffer.byteLength(JSON.stringify(field.value)) + VALUE_FRAME_BYTES - 2 <= bytesMax;
}

function binaryBytes(length: number): number {
  return Math.ceil(length / 3) * 4 + VALUE_FRAME_BYTES;
}
