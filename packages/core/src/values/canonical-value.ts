import type { FieldValue } from './field-value.ts';

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
  return text.replace(FRACTION_ZEROS, '$1Z');
}
