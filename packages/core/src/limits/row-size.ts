import { assertNever } from '../errors.ts';
import type { Properties, RowOperation } from '../ports/table-store.ts';
import type { FieldValue } from '../values/field-value.ts';

const ROW_BYTES = 4;
const PROPERTY_BYTES = 8;
const LENGTH_BYTES = 4;

/** What one operation costs in a batch besides its keys and properties: headers, URL, boundary. */
const OPERATION_OVERHEAD_BYTES = 1_024;
/** A UTF-16 unit takes at most 9 bytes in a URL, and at most 6 in JSON. */
const KEY_UNIT_BYTES = 15;
const JSON_UNIT_BYTES_MAX = 6;
/** Quotes, separators, `@odata.type` and the name of the type. */
const PROPERTY_OVERHEAD_BYTES = 40;
/** The longest number, DateTime or Guid in JSON, with its quotes. */
const SCALAR_BYTES = 40;

/**
 * Bytes that a row takes, by the formula Microsoft documents for it. The limit of 1 MiB is on this
 * figure, not on what is sent.
 */
export function rowBytes(partitionKey: string, rowKey: string, properties: Properties): number {
  let bytes = ROW_BYTES + (partitionKey.length + rowKey.length) * 2;
  for (const [name, value] of properties) {
    bytes += PROPERTY_BYTES + name.length * 2 + valueBytes(value);
  }
  return bytes;
}

/** Bytes that a value takes in the table; a String counts as UTF-16. */
export function valueBytes(field: FieldValue): number {
  switch (field.type) {
    case 'String':
      return field.value.length * 2 + LENGTH_BYTES;
    case 'Binary':
      return field.value.length + LENGTH_BYTES;
    case 'Guid':
      return 16;
    case 'DateTime':
    case 'Double':
    case 'Int64':
      return 8;
    case 'Int32':
      return 4;
    case 'Boolean':
      return 1;
    default:
      return assertNever(field);
  }
}

/**
 * Returns the most bytes that an operation can add to the body of a transaction. The sum over all must not
 * exceed `TRANSACTION_BYTES_MAX`; whoever packs rows into transactions counts with this.
 */
export function operationBytes(partitionKey: string, operation: RowOperation): number {
  const keyUnits = partitionKey.length + operation.rowKey.length;
  let bytes = OPERATION_OVERHEAD_BYTES + keyUnits * KEY_UNIT_BYTES;
  if (operation.kind === 'delete') return bytes;
  for (const [name, field] of operation.properties) {
    bytes += PROPERTY_OVERHEAD_BYTES + 2 * utf8Bytes(name) + sentBytes(field);
  }
  return bytes;
}

function sentBytes(field: FieldValue): number {
  if (field.type === 'String') return sentTextBytes(field.value);
  if (field.type === 'Binary') return Math.ceil(field.value.length / 3) * 4 + 2;
  return SCALAR_BYTES;
}

/** Text that JSON writes as it is, a byte for each character. */
const UNESCAPED = /^[ !#-[\]-~]*$/;

function utf8Bytes(name: string): number {
  return UNESCAPED.test(name) ? name.length : Buffer.byteLength(name);
}

function sentTextBytes(text: string): number {
  if (UNESCAPED.test(text)) return text.length + 2;
  // These two may be sent escaped, which JSON.stringify does not do.
  if (/[\u2028\u2029]/.test(text)) return text.length * JSON_UNIT_BYTES_MAX + 2;
  return Buffer.byteLength(JSON.stringify(text));
}
