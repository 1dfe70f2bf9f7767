/** What the service takes, by its documentation; each excess has an error of its own. */
import type { FieldValue } from '@tandem/core';
import { TableError } from './table-error.ts';

/** Beside the two keys and the Timestamp. */
const PROPERTIES_MAX = 252;
/** In UTF-16 units. */
const NAME_LENGTH_MAX = 255;
/** Bounds a text in UTF-16, or bytes. */
const VALUE_BYTES_MAX = 65_536;
const ENTITY_BYTES_MAX = 1_048_576;
/** In UTF-16 units, each. */
export const KEY_LENGTH_MAX = 512;

/** Control characters, and those that a path gives another meaning. */
// oxlint-disable-next-line no-control-regex -- They are what is looked for.
const FORBIDDEN_IN_KEY = /[/\\#?\u0000-\u001F\u007F-\u009F]/;

/** Throws `KeyValueTooLarge` or `OutOfRangeInput` for a text that can be no key. */
export function checkKey(name: string, key: string): void {
  if (key.length > KEY_LENGTH_MAX) {
    throw new TableError(
      'KeyValueTooLarge',
      `${name} has ${key.length} of ${KEY_LENGTH_MAX} characters.`,
    );
  }
  if (FORBIDDEN_IN_KEY.test(key) || !key.isWellFormed()) {
    throw new TableError('OutOfRangeInput', `${name} holds a character that no key may hold.`);
  }
}

const PROPERTY_NAME = /^[\p{L}\p{Nl}_][\p{L}\p{Nl}\p{Nd}\p{Mn}\p{Mc}\p{Pc}\p{Cf}]*$/u;

/** Tells whether a text can name a property: an identifier of C#. */
export function isPropertyName(name: string): boolean {
  return PROPERTY_NAME.test(name);
}

/** Throws the service's error for the first limit that an entity's properties exceed. */
export function checkProperties(properties: ReadonlyMap<string, FieldValue>): void {
  if (properties.size > PROPERTIES_MAX) {
    throw new TableError('TooManyProperties', `There are ${properties.size}.`);
  }
  let bytes = 0;
  for (const [name, value] of properties) {
    if (name.length > NAME_LENGTH_MAX) throw new TableError('PropertyNameTooLong');
    if (!isPropertyName(name)) throw new TableError('PropertyNameInvalid', `It is "${name}".`);
    const valueBytes = valueBytesOf(value);
    if (isOversized(value)) {
      throw new TableError('PropertyValueTooLarge', `Property "${name}" has ${valueBytes} bytes.`);
    }
    bytes += PROPERTY_BYTES + 2 * name.length + valueBytes;
  }
  if (bytes > ENTITY_BYTES_MAX) throw new TableError('EntityTooLarge', `It has ${bytes} bytes.`);
}

/** By the service's formula: 8 bytes, twice the name's length, the value; a text and bytes have 4 of length. */
const PROPERTY_BYTES = 8;
const LENGTH_BYTES = 4;

function isOversized(value: FieldValue): boolean {
  const isSized = value.type === 'String' || value.type === 'Binary';
  return isSized && valueBytesOf(value) - LENGTH_BYTES > VALUE_BYTES_MAX;
}

function valueBytesOf({ type, value }: FieldValue): number {
  switch (type) {
    case 'String':
      return 2 * value.length + LENGTH_BYTES;
    case 'Binary':
      return value.length + LENGTH_BYTES;
    case 'Boolean':
      return 1;
    case 'Int32':
      return 4;
    case 'Guid':
      return 16;
    case 'Int64':
    case 'Double':
    case 'DateTime':
    default:
      return 8;
  }
}
