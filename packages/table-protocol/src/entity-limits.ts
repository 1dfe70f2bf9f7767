/** What the service takes, by its documentation; each excess has an error of its own. */
import {
  type FieldValue,
  findKeyFault,
  KEY_LENGTH_MAX,
  PROPERTIES_MAX,
  ROW_BYTES_MAX,
  valueBytes,
} from '@tandem/core';
import { TableError } from './table-error.ts';

/** In UTF-16 units. */
const NAME_LENGTH_MAX = 255;
/** Bounds a text in UTF-16, or bytes. */
const VALUE_BYTES_MAX = 65_536;

/** Throws `KeyValueTooLarge` or `OutOfRangeInput` for a text that can be no key. */
export function checkKey(name: string, key: string): void {
  if (key.length > KEY_LENGTH_MAX) {
    throw new TableError(
      'KeyValueTooLarge',
      `${name} has ${key.length} of ${KEY_LENGTH_MAX} characters.`,
    );
  }
  if (findKeyFault(key) !== undefined) {
    throw new TableError('OutOfRangeInput', `${name} holds a character that no key may hold.`);
  }
}

const PROPERTY_NAME = /^[\p{L}_][\p{L}\p{Mn}\p{Mc}\p{Nl}\p{Nd}_]*$/u;

/** Tells whether a text can name a property: an identifier of C#, but for the joiners that no region takes. */
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
    const size = valueBytes(value);
    if (size - LENGTH_BYTES > VALUE_BYTES_MAX) {
      throw new TableError('PropertyValueTooLarge', `Property "${name}" has ${size} bytes.`);
    }
    bytes += PROPERTY_BYTES + 2 * name.length + size;
  }
  if (bytes > ROW_BYTES_MAX) throw new TableError('EntityTooLarge', `It has ${bytes} bytes.`);
}

/** Takes a property beside its name and value, by the service's formula. */
const PROPERTY_BYTES = 8;
/** Counts in a text and in bytes, and not against `VALUE_BYTES_MAX`. */
const LENGTH_BYTES = 4;
