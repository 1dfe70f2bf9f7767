/**
 * Rows as the table service writes them in JSON. It is done here and not by `@azure/data-tables`,
 * which reads the Double 12.0 as the Int32 12 (it looks at the number after it was parsed; the text
 * told them apart) and gives the columns `etag`, `timestamp`, `partitionKey` and `rowKey` away to
 * its own properties of those names.
 */
import {
  assertNever,
  canonicalValue,
  type FieldValue,
  isInt32,
  isInt64,
  type Properties,
  type TableRow,
  TerminalError,
  TransientError,
} from '@tandem/core';

const TYPE_SUFFIX = '@odata.type';
const SYSTEM_COLUMNS = new Set(['PartitionKey', 'RowKey', 'Timestamp']);
const INT64 = /^-?\d{1,19}$/;

export function encodeRow(partitionKey: string, rowKey: string, properties: Properties): string {
  const members = [member('PartitionKey', partitionKey), member('RowKey', rowKey)];
  for (const [name, value] of properties) pushProperty(members, name, value);
  return joinMembers(members);
}

/** Those that are named, without the keys of the row. */
export function encodeProperties(properties: Properties, names: ReadonlySet<string>): string {
  const members: string[] = [];
  for (const [name, value] of properties) if (names.has(name)) pushProperty(members, name, value);
  return joinMembers(members);
}

function pushProperty(members: string[], name: string, value: FieldValue): void {
  const [json, type] = encodeValue(canonicalValue(value));
  members.push(member(name, json));
  if (type !== undefined) members.push(member(`${name}${TYPE_SUFFIX}`, type));
}

function joinMembers(members: readonly string[]): string {
  return `{${members.join(',')}}`.replace(LINE_SEPARATORS, escapeLineSeparator);
}

/** JSON may hold these two as they are, but Azurite's parser of batches ends a body at them. */
const LINE_SEPARATORS = /[\u2028\u2029]/g;

function escapeLineSeparator(separator: string): string {
  return separator === '\u2028' ? '\\u2028' : '\\u2029';
}

function member(name: string, value: string | number | boolean): string {
  return `${JSON.stringify(name)}:${JSON.stringify(value)}`;
}

/** The service takes an unnamed type to be String, Boolean or Int32. */
function encodeValue(field: FieldValue): [string | number | boolean, string?] {
  switch (field.type) {
    case 'String':
    case 'Boolean':
    case 'Int32':
      return [field.value];
    case 'Int64':
      return [field.value.toString(), 'Edm.Int64'];
    case 'Double':
      return [Number.isFinite(field.value) ? field.value : String(field.value), 'Edm.Double'];
    case 'DateTime':
    case 'Guid':
      return [field.value, `Edm.${field.type}`];
    case 'Binary':
      return [Buffer.from(field.value).toString('base64'), 'Edm.Binary'];
    default:
      return assertNever(field);
  }
}

type RowJson = Readonly<Record<string, unknown>>;

/** A row that somebody else wrote may hold anything: it is marked, and takes no other row with it. */
export function decodeRows(text: string): TableRow[] {
  const { value } = parseExactly(text) as { value?: RowJson[] };
  return (value ?? []).map(toRow);
}

/** Throws `ROW_MALFORMED`. */
export function decodeRow(text: string): TableRow {
  const row = toRow(parseExactly(text) as RowJson);
  if (row.damage === undefined) return row;
  const { partitionKey, rowKey } = row;
  const message = `Row "${partitionKey}", "${rowKey}": ${row.damage}.`;
  throw new TerminalError('ROW_MALFORMED', message, { details: { partitionKey, rowKey } });
}

/** Reading the text of each number is slow (nine times), and few tables hold a Double. */
const HAS_DOUBLE = /":\s*-?\d+[.eE]/;

/** A number written with a fraction or an exponent is a Double, whatever it parses to. */
function parseExactly(text: string): unknown {
  const revive = (_: string, value: unknown, context?: { source?: string }): unknown =>
    typeof value === 'number' && /[.eE]/.test(context?.source ?? '')
      ? { type: 'Double', value }
      : value;
  try {
    return HAS_DOUBLE.test(text) ? JSON.parse(text, revive) : JSON.parse(text);
  } catch (error) {
    const message = 'The table service answered what is no JSON.';
    throw new TransientError('TABLE_UNAVAILABLE', message, { cause: error });
  }
}

function toRow(json: RowJson): TableRow {
  const partitionKey = String(json['PartitionKey']);
  const rowKey = String(json['RowKey']);
  const properties = new Map<string, FieldValue>();
  let damage: string | undefined;
  for (const [name, value] of Object.entries(json)) {
    if (SYSTEM_COLUMNS.has(name) || name.startsWith('odata.') || name.includes('@')) continue;
    const decoded = decodeValue(json[`${name}${TYPE_SUFFIX}`], value);
    if (decoded === undefined) damage = `property "${name}" is not what its type says`;
    else properties.set(name, canonicalValue(decoded));
  }
  const row = { partitionKey, rowKey, etag: String(json['odata.etag']), properties };
  return damage === undefined ? row : { ...row, damage };
}

function decodeValue(type: unknown, value: unknown): FieldValue | undefined {
  if (typeof value === 'string') return decodeText(type, value);
  if (typeof value === 'boolean') return { type: 'Boolean', value };
  if (typeof value === 'number') {
    return type !== 'Edm.Double' && isInt32(value)
      ? { type: 'Int32', value }
      : { type: 'Double', value };
  }
  return isRevived(value) ? value : undefined;
}

function decodeText(type: unknown, value: string): FieldValue | undefined {
  switch (type) {
    case undefined:
    case 'Edm.String':
      return { type: 'String', value };
    case 'Edm.DateTime':
      return { type: 'DateTime', value };
    case 'Edm.Guid':
      return { type: 'Guid', value };
    case 'Edm.Binary':
      return { type: 'Binary', value: new Uint8Array(Buffer.from(value, 'base64')) };
    case 'Edm.Int64':
      return decodeInt64(value);
    case 'Edm.Double':
      return { type: 'Double', value: Number(value) };
    default:
      return undefined;
  }
}

function decodeInt64(text: string): FieldValue | undefined {
  const value = INT64.test(text) ? BigInt(text) : undefined;
  return isInt64(value) ? { type: 'Int64', value } : undefined;
}

/** The service writes no objects: one can only come from `parseExactly`. */
function isRevived(value: unknown): value is FieldValue {
  return typeof value === 'object' && value !== null;
}
