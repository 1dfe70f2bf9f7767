/**
 * The limits of Azure Table Storage, checked before anything is sent, so that the error names the
 * limit, the actual figure and the remedy: the service says little more than "400".
 * https://learn.microsoft.com/azure/storage/tables/scalability-targets
 */
import { assertNever, TerminalError } from '../errors.ts';
import { type Comparison, comparisonsOf, type Predicate } from '../model/predicate.ts';
import type { Properties, RowOperation, RowRange, Transaction } from '../ports/table-store.ts';
import {
  type FieldValue,
  isDateTimeText,
  isGuidText,
  isInt32,
  isInt64,
} from '../values/field-value.ts';
import { operationBytes, rowBytes, valueBytes } from './row-size.ts';

const KIB = 1_024;
const MIB = 1_024 * KIB;

/** Makes 1 KiB of UTF-16. */
export const KEY_LENGTH_MAX = 512;
/** Counts the columns of a row besides its keys and its time. */
export const PROPERTIES_MAX = 252;
const PROPERTY_NAME_LENGTH_MAX = 255;
/** A String counts as UTF-16, so it holds half as many characters. */
const PROPERTY_BYTES_MAX = 64 * KIB;
/** Counts by the formula of `rowBytes`. */
export const ROW_BYTES_MAX = MIB;
/** Bounds an entity group transaction. */
export const ROWS_PER_TRANSACTION_MAX = 100;
export const TRANSACTION_BYTES_MAX = 4 * MIB;
const QUERY_LIMIT_MAX = 1_000;
/** As the service documents it: a filter that makes more is refused, or answered very slowly. */
export const COMPARISONS_MAX = 15;
/** No store spells a later year. */
const TIME_MS_MAX = Date.parse('9999-12-31T23:59:59.999Z');

/** The value's own length, without the four bytes in which the table counts it. */
const LENGTH_BYTES = 4;

/** Is the service's rule for names of tables: 3 to 63 letters and digits, a letter first. */
export const TABLE_NAME = /^[A-Za-z][A-Za-z0-9]{2,62}$/;
const PROPERTY_NAME = /^[\p{L}_][\p{L}\p{Mn}\p{Mc}\p{N}_]*$/u;
const MARK = /[\p{Mn}\p{Mc}]/u;
/** It travels as a header. */
const ETAG = /^[\x20-\x7e]{1,256}$/;
const RESERVED_NAMES = new Set(['PartitionKey', 'RowKey', 'Timestamp']);
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for.
const KEY_FORBIDDEN = /[/\\#?\u0000-\u001f\u007f-\u009f]/;

/** Says whether a property can be named so: an identifier of any script, up to 255 characters, and no key. */
export function isPropertyName(name: string): boolean {
  if (name.length > PROPERTY_NAME_LENGTH_MAX) return false;
  return PROPERTY_NAME.test(name) && !RESERVED_NAMES.has(name);
}

/** Says whether a name of a property has a combining mark, which not every build takes. */
export function hasMark(name: string): boolean {
  return MARK.test(name);
}

/** Says whether a table can be named so. */
export function isTableName(table: string): boolean {
  return TABLE_NAME.test(table);
}

/** Throws `TABLE_REQUEST_INVALID`. */
export function checkTableName(table: string): void {
  if (isTableName(table)) return;
  throw invalid(
    `"${table}" is no name for a table: use 3 to 63 letters and digits, a letter first.`,
  );
}

/** Returns what Table Storage refuses in a key, empty or not, or undefined. */
export function findKeyFault(key: string): string | undefined {
  if (key.length > KEY_LENGTH_MAX) {
    return `has ${key.length} UTF-16 units, the limit is ${KEY_LENGTH_MAX}`;
  }
  const found = KEY_FORBIDDEN.exec(key)?.[0];
  if (found !== undefined) {
    return `holds ${JSON.stringify(found)}, and a key has no / \\ # ? and no control characters`;
  }
  return key.isWellFormed() ? undefined : 'holds half a surrogate pair';
}

/** Throws `TABLE_LIMIT_EXCEEDED` for a key that is too long, `TABLE_REQUEST_INVALID` for the rest. */
export function checkKey(name: 'partition key' | 'row key', key: string): void {
  if (key.length > KEY_LENGTH_MAX) {
    const figures = `The ${name} has ${key.length} UTF-16 units, the limit is ${KEY_LENGTH_MAX}`;
    throw exceeded(`${figures}. Use a shorter id.`, { key: key.slice(0, 64) });
  }
  if (key.length === 0) throw invalid(`The ${name} is empty. Give it at least one character.`);
  const found = KEY_FORBIDDEN.exec(key)?.[0];
  if (found === undefined && key.isWellFormed()) return;
  const what = found === undefined ? 'half a surrogate pair' : JSON.stringify(found);
  throw invalid(
    `The ${name} ${JSON.stringify(key)} holds ${what}. ` +
      'Table Storage takes no / \\ # ? and no control characters in keys: encode them.',
  );
}

/** Throws `TABLE_LIMIT_EXCEEDED` or `TABLE_REQUEST_INVALID` for what the service would refuse. */
export function checkTransaction(transaction: Transaction): void {
  const { table, partitionKey, operations } = transaction;
  checkTableName(table);
  checkKey('partition key', partitionKey);
  if (operations.length === 0) throw invalid('A transaction needs at least one operation.');
  if (operations.length > ROWS_PER_TRANSACTION_MAX) {
    const figures = `A transaction of ${operations.length} operations exceeds the limit`;
    throw exceeded(`${figures} of ${ROWS_PER_TRANSACTION_MAX}. Split it.`, { table });
  }
  const rowKeys = new Set<string>();
  let bytes = 0;
  for (const operation of operations) {
    checkOperation(partitionKey, operation);
    rowKeys.add(operation.rowKey);
    bytes += operationBytes(partitionKey, operation);
  }
  if (rowKeys.size < operations.length) {
    throw invalid('A transaction names a row twice. Join the operations on one row into one.');
  }
  if (bytes > TRANSACTION_BYTES_MAX) {
    const figures = `A transaction of up to ${bytes} bytes exceeds the limit`;
    throw exceeded(`${figures} of ${TRANSACTION_BYTES_MAX}. Split it.`, { table });
  }
}

/** Throws `TABLE_REQUEST_INVALID`, and `TABLE_LIMIT_EXCEEDED` for more comparisons than the service makes. */
export function checkRange(range: RowRange): void {
  const { table, limit, where, select, writtenFromMs } = range;
  checkTableName(table);
  if (!Number.isInteger(limit) || limit < 1 || limit > QUERY_LIMIT_MAX) {
    throw invalid(`A page of ${limit} rows was asked for: ask for 1 to ${QUERY_LIMIT_MAX}.`);
  }
  const bounds = keyBoundsOf(range);
  for (const bound of bounds) {
    if (bound.isWellFormed()) continue;
    throw invalid('A bound of a range holds half a surrogate pair: no row key does. Leave it out.');
  }
  const comparedCount = bounds.length + Number(writtenFromMs !== undefined);
  if (where !== undefined) checkPredicate(where, comparedCount);
  if (writtenFromMs !== undefined && !isTimeMs(writtenFromMs)) {
    throw invalid(
      `Rows are written at no time such as ${writtenFromMs}: give milliseconds since 1970.`,
    );
  }
  if (select === undefined) return;
  if (select.size === 0 || select.size > PROPERTIES_MAX) {
    throw invalid(`${select.size} properties were chosen: choose 1 to ${PROPERTIES_MAX}, or all.`);
  }
  for (const name of select) checkPropertyName('A choice of properties', name);
}

function isTimeMs(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value <= TIME_MS_MAX;
}

/** Returns what a range compares keys with: one comparison of the service each. */
function keyBoundsOf(range: RowRange): string[] {
  const { partitions, rowsFrom, rowsAfter, rowsBefore, rowsThrough } = range;
  const ofPartitions =
    typeof partitions === 'string' ? [partitions] : [partitions.from, partitions.before];
  const ofRows = [rowsFrom, rowsAfter, rowsBefore, rowsThrough];
  return [...ofPartitions, ...ofRows.filter((bound) => bound !== undefined)];
}

function checkPredicate(where: Predicate, boundCount: number): void {
  if (!isAskable(where)) {
    throw invalid(
      'A predicate was given to a store that stores differ on: leave out negations, constants, keys, whole numbers, ' +
        'bytes, and the order of truths, Guids and instants, and judge the rows by them.',
    );
  }
  const count = boundCount + [...comparisonsOf(where)].length;
  if (count <= COMPARISONS_MAX) return;
  const figures = `A range makes ${count} comparisons, those of its keys included`;
  throw exceeded(`${figures}; the limit is ${COMPARISONS_MAX}. Judge some of the rows yourself.`, {
    count,
  });
}

/**
 * Tells whether every store answers a predicate with all rows that match it. Not so where it negates, which is wrong
 * as soon as a row of another type was let pass; nor where it gives a whole number: Azurite finds no Int64 by an
 * Int32, and fails (500) over texts that are asked to be an Int64; nor where a number needs an exponent. Azurite
 * compares instants by their milliseconds, and Guids and bytes by their base64, so these are asked for by few operators.
 */
export function isAskable(predicate: Predicate): boolean {
  switch (predicate.kind) {
    case 'and':
    case 'or':
      return predicate.parts.length > 0 && predicate.parts.every(isAskable);
    case 'not':
    case 'constant':
      return false;
    case 'compare':
      return isAskableName(predicate.name) && isAskableComparison(predicate);
    default:
      return assertNever(predicate);
  }
}

const WORD = /^[A-Za-z_][A-Za-z0-9_]*$/;
const WORDS_OF_FILTERS: ReadonlySet<string> = new Set(
  (
    'and or not eq ne gt ge lt le add sub mul div mod true false null inf infinity nan ' +
    'datetime datetimeoffset time guid binary x isof cast'
  ).split(' '),
);

/** A name that is a word of the language of filters, in any case, and one in another script may be read as something else. */
function isAskableName(name: string): boolean {
  return isPropertyName(name) && WORD.test(name) && !WORDS_OF_FILTERS.has(name.toLowerCase());
}

// oxlint-disable-next-line no-control-regex -- a URL with one is refused on its way.
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

function isAskableComparison({ operator, value }: Comparison): boolean {
  if (findValueFault(value) !== undefined) return false;
  const isEquality = operator === 'eq' || operator === 'ne';
  switch (value.type) {
    case 'String':
      return !CONTROL.test(value.value);
    case 'Boolean':
      return isEquality;
    case 'Guid':
      return isEquality && value.value === value.value.toLowerCase();
    case 'DateTime':
      return operator === 'ge' || operator === 'le' || operator === 'eq';
    case 'Double':
      return Number.isFinite(value.value) && !/e/.test(String(value.value));
    case 'Binary':
      return operator === 'ge' && value.value.length === 1 && value.value[0] === 0;
    case 'Int32':
    case 'Int64':
    default:
      return false;
  }
}

function checkOperation(partitionKey: string, operation: RowOperation): void {
  checkKey('row key', operation.rowKey);
  if ('etag' in operation && operation.etag !== undefined && !ETAG.test(operation.etag)) {
    throw invalid(`Row key "${operation.rowKey}": the ETag is none that a store has given.`);
  }
  if (operation.kind !== 'delete') checkRow(partitionKey, operation.rowKey, operation.properties);
}

function checkRow(partitionKey: string, rowKey: string, properties: Properties): void {
  const row = `Row "${partitionKey}", "${rowKey}"`;
  if (properties.size > PROPERTIES_MAX) {
    const figures = `${row} has ${properties.size} properties, the limit is ${PROPERTIES_MAX}`;
    throw exceeded(`${figures}. Join some into one.`, { partitionKey, rowKey });
  }
  for (const [name, field] of properties) {
    checkPropertyName(row, name);
    checkValue({ row, name }, field);
  }
  const bytes = rowBytes(partitionKey, rowKey, properties);
  if (bytes <= ROW_BYTES_MAX) return;
  const figures = `${row} has ${bytes} bytes, the limit is ${ROW_BYTES_MAX}`;
  throw exceeded(`${figures}. Keep large values elsewhere.`, { partitionKey, rowKey, bytes });
}

function checkPropertyName(row: string, name: string): void {
  if (name.length > PROPERTY_NAME_LENGTH_MAX) {
    const figures = `${row} has a property name of ${name.length} characters`;
    throw exceeded(`${figures}, the limit is ${PROPERTY_NAME_LENGTH_MAX}. Shorten it.`, {});
  }
  if (isPropertyName(name)) return;
  throw invalid(
    `${row}: "${name}" is no name for a property. Use letters, combining marks, digits and _, a letter or _ first, ` +
      `and none of ${[...RESERVED_NAMES].join(', ')}.`,
  );
}

/** The text that names the place is put together only for an error. */
function checkValue({ row, name }: { row: string; name: string }, field: FieldValue): void {
  const what = (): string => `${row}: property "${name}"`;
  if (!isInRange(field)) {
    throw invalid(`${what()} holds a value that Edm.${field.type} cannot hold. Check its range.`);
  }
  const bytes = valueBytes(field) - LENGTH_BYTES;
  if (bytes <= PROPERTY_BYTES_MAX) return;
  const unit = field.type === 'String' ? ' (UTF-16, two for a character)' : '';
  const figures = `${what()} has ${bytes} bytes${unit}, the limit is ${PROPERTY_BYTES_MAX}`;
  throw exceeded(`${figures}. Split it over several properties.`, { bytes });
}

/** Returns why no column can hold the value as it is, or undefined. */
export function findValueFault(
  field: FieldValue,
): { readonly text: string; readonly isSize: boolean } | undefined {
  if (!isInRange(field)) {
    return { text: `holds a value that Edm.${field.type} cannot hold`, isSize: false };
  }
  if (field.type === 'String' && !field.value.isWellFormed()) {
    return { text: 'holds half a surrogate pair', isSize: false };
  }
  const bytes = valueBytes(field) - LENGTH_BYTES;
  if (bytes <= PROPERTY_BYTES_MAX) return undefined;
  const text = `has ${bytes} bytes in its column, the limit is ${PROPERTY_BYTES_MAX}`;
  return { text, isSize: true };
}

function isInRange(field: FieldValue): boolean {
  switch (field.type) {
    case 'Int32':
      return isInt32(field.value);
    case 'Int64':
      return isInt64(field.value);
    case 'DateTime':
      return isDateTimeText(field.value);
    case 'Guid':
      return isGuidText(field.value);
    case 'String':
    case 'Boolean':
    case 'Double':
    case 'Binary':
    default:
      return true;
  }
}

function invalid(message: string): TerminalError {
  return new TerminalError('TABLE_REQUEST_INVALID', message);
}

function exceeded(message: string, details: Record<string, unknown>): TerminalError {
  return new TerminalError('TABLE_LIMIT_EXCEEDED', message, { details });
}
