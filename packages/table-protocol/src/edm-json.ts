/**
 * Entities as JSON, both ways. A request is read by the text of its numbers, since 12 is an Int32 and 12.0 a
 * Double; an answer is written with as much metadata as was asked for.
 */
import {
  assertNever,
  canonicalValue,
  type EdmType,
  escapeLineBreakers,
  type FieldValue,
  isBase64Text,
  isDateTimeText,
  isEdmType,
  isGuidText,
  isInt32,
  isInt64,
  isWholeText,
} from '@tandem/core';
import { checkKey, checkProperties } from './entity-limits.ts';
import { TableError } from './table-error.ts';

const TYPE_SUFFIX = '@odata.type';
const SYSTEM_NAMES: ReadonlySet<string> = new Set(['PartitionKey', 'RowKey', 'Timestamp']);

/** An entity as a client sent it. Keys are absent where the address has them. */
export interface SentEntity {
  readonly partitionKey: string | undefined;
  readonly rowKey: string | undefined;
  readonly properties: ReadonlyMap<string, FieldValue>;
}

/**
 * Reads the body of a write. Properties that are null are left out, and so is what a client repeats of an
 * answer: `odata.*`, `Timestamp`, types of types. Throws `InvalidInput` for what is no entity, and the
 * service's own errors for names, values and counts beyond its limits.
 */
export function decodeEntity(text: string): SentEntity {
  const json = parseObject(text);
  const properties = new Map<string, FieldValue>();
  for (const [name, value] of Object.entries(json)) {
    const isOfProperty =
      !SYSTEM_NAMES.has(name) && !name.includes('@') && !name.startsWith('odata.');
    if (!isOfProperty || value === null) continue;
    properties.set(name, decodeValue(name, value, json[`${name}${TYPE_SUFFIX}`]));
  }
  const partitionKey = readKey(json, 'PartitionKey');
  const rowKey = readKey(json, 'RowKey');
  checkProperties(properties);
  return { partitionKey, rowKey, properties };
}

function readKey(json: Json, name: 'PartitionKey' | 'RowKey'): string | undefined {
  const value = json[name] ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== 'string') throw invalid(`${name} is a text.`);
  checkKey(name, value);
  return value;
}

type Json = Readonly<Record<string, unknown>>;

/** A number as it was written, where its value does not give that again: 12.0 and 1e3, and what no Double holds. */
class NumberText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/**
 * Reads a JSON object, of the body of a table's creation too. Throws `InvalidInput` for what is none, and the service's
 * own error for a name that stands twice: which of its values was meant nobody knows.
 */
export function parseObject(text: string): Json {
  const isPlain = !UNTOLD_NUMBER.test(text);
  let json: unknown;
  try {
    json = isPlain ? JSON.parse(text) : JSON.parse(text, keepNumberText);
  } catch {
    throw invalid('The body is no JSON.');
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw invalid('The body is no JSON object.');
  }
  // No name can stand twice in a text that is no longer than what was read of it: each of its values is written in the
  // shortest way. Most clients write so, and to count is ten times the work of all the rest.
  const isShortest = isPlain && text.isWellFormed() && JSON.stringify(json).length === text.length;
  if (!isShortest && countMembers(text) > Object.keys(json).length) {
    throw new TableError('DuplicatePropertiesSpecified');
  }
  return json as Json;
}

/** Finds a number whose text its value does not give again, and now and then a text that has what looks like one. */
const UNTOLD_NUMBER = /":\s*(?:-0|-?\d+[.eE]|-?\d{16})/;

/** Matches what of a JSON text counts its members: the texts, whole, and the signs outside of them. */
const JSON_SIGN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:]/gs;

/** Returns how many members the object has that a JSON text is, those of objects within it left out. */
function countMembers(text: string): number {
  let [count, depth] = [0, 0];
  for (const [sign] of text.matchAll(JSON_SIGN)) {
    if (sign === ':') count += depth === 1 ? 1 : 0;
    else if (sign === '{' || sign === '[') depth += 1;
    else if (sign === '}' || sign === ']') depth -= 1;
  }
  return count;
}

function keepNumberText(_: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number') return value;
  const text = context?.source ?? String(value);
  return text === String(value) ? value : new NumberText(text);
}

function decodeValue(name: string, value: unknown, annotation: unknown): FieldValue {
  const type = annotation === undefined ? guessType(value) : readType(annotation);
  const decoded = type === undefined ? undefined : DECODERS[type](value);
  if (decoded === undefined) {
    const kind = type === undefined ? 'of a type that the service has' : `an Edm.${type}`;
    throw invalid(`The value of property "${name.slice(0, 255)}" is not ${kind}.`);
  }
  return canonicalValue(decoded);
}

function guessType(value: unknown): EdmType | undefined {
  if (typeof value === 'string') return 'String';
  if (typeof value === 'boolean') return 'Boolean';
  const text = textOf(value);
  if (text === undefined) return undefined;
  return /[.eE]/.test(text) ? 'Double' : 'Int32';
}

function readType(annotation: unknown): EdmType | undefined {
  const name = typeof annotation === 'string' ? annotation.replace(/^Edm\./, '') : undefined;
  // Older clients call it so; it is kept as a DateTime.
  if (name === 'DateTimeOffset') return 'DateTime';
  return isEdmType(name) ? name : undefined;
}

const WHOLE = /^-?\d{1,19}$/;
const SPECIAL_DOUBLES: ReadonlyMap<string, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['INF', Number.POSITIVE_INFINITY],
  ['-INF', Number.NEGATIVE_INFINITY],
]);
// No digit can belong to either of two repetitions, or a long text that is no number would take for ever.
const NUMBER = /^-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;

/** Some clients send numbers and truths as texts beside their type. */
const DECODERS: Readonly<Record<EdmType, (value: unknown) => FieldValue | undefined>> = {
  String: (value) => (isWholeText(value) ? { type: 'String', value } : undefined),
  Boolean: (value) => {
    const flag = typeof value === 'string' ? BOOLEANS[value.toLowerCase()] : value;
    return typeof flag === 'boolean' ? { type: 'Boolean', value: flag } : undefined;
  },
  Int32: (value) => {
    const text = textOf(value);
    const number = text !== undefined && WHOLE.test(text) ? Number(text) : undefined;
    return isInt32(number) ? { type: 'Int32', value: number } : undefined;
  },
  Int64: (value) => {
    const text = textOf(value);
    const number = text !== undefined && WHOLE.test(text) ? BigInt(text) : undefined;
    return isInt64(number) ? { type: 'Int64', value: number } : undefined;
  },
  Double: (value) => {
    const text = textOf(value);
    if (text === undefined) return undefined;
    const special = SPECIAL_DOUBLES.get(text);
    if (special !== undefined) return { type: 'Double', value: special };
    const number = NUMBER.test(text) ? Number(text) : Number.NaN;
    return Number.isFinite(number) ? { type: 'Double', value: number } : undefined;
  },
  DateTime: (value) => {
    const utc = typeof value === 'string' ? toUtcText(value) : undefined;
    return utc === undefined ? undefined : { type: 'DateTime', value: utc };
  },
  Guid: (value) => (isGuidText(value) ? { type: 'Guid', value } : undefined),
  Binary: (value) =>
    isBase64Text(value)
      ? { type: 'Binary', value: new Uint8Array(Buffer.from(value, 'base64')) }
      : undefined,
};

/** Returns the value that a text is beside its type, as in a column of a file; undefined for what is none. */
export function decodeTypedText(type: EdmType, text: string): FieldValue | undefined {
  const value = DECODERS[type](text);
  return value && canonicalValue(value);
}

/** Returns the text of a value, to stand beside its type. */
export function typedTextOf({ type, value }: FieldValue): string {
  return type === 'Binary' ? Buffer.from(value).toString('base64') : String(value);
}

const BOOLEANS: Readonly<Record<string, boolean | undefined>> = { true: true, false: false };

function textOf(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value);
  if (value instanceof NumberText) return value.text;
  return typeof value === 'string' ? value : undefined;
}

const INSTANT =
  /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2})(?::(\d{2})(?:\.(\d{1,7})\d*)?)?)?(Z|[+-]\d{2}:\d{2})?$/;
const MINUTE_MS = 60_000;

/**
 * Returns an instant as UTC text with up to seven digits of a second, or undefined for what is none or lies
 * outside of 1601 to 9999. A text without an offset is UTC.
 */
export function toUtcText(text: string): string | undefined {
  const match = INSTANT.exec(text);
  if (match === null) return undefined;
  const [, day = '', minute = '00:00', second = '00', fraction, offset = 'Z'] = match;
  const tail = fraction === undefined ? '' : `.${fraction}`;
  const local = `${day}T${minute}:${second}${tail}Z`;
  if (!isDateTimeText(local)) return undefined;
  if (offset === 'Z') return local;
  const shiftMs = Date.parse(`${day}T${minute}:${second}${offset}`);
  if (Number.isNaN(shiftMs) || shiftMs % 1_000 !== 0 || Math.abs(shiftMs) > 8.64e15 - MINUTE_MS) {
    return undefined;
  }
  const utc = `${new Date(shiftMs).toISOString().slice(0, -5)}${tail}Z`;
  return isDateTimeText(utc) ? utc : undefined;
}

/** How much an answer says beside the values. */
export type MetadataLevel = 'none' | 'minimal' | 'full';

/** An entity as it is answered. */
export interface StoredEntity {
  readonly partitionKey: string;
  readonly rowKey: string;
  /** UTC with up to seven digits of a second. */
  readonly timestamp: string;
  readonly etag: string;
  readonly properties: ReadonlyMap<string, FieldValue>;
}

export interface EntityFormat {
  readonly level: MetadataLevel;
  /** Address of the service, without a slash at its end. */
  readonly base: string;
  readonly account: string;
  readonly table: string;
  /** Names that were asked for; undefined for all of them. */
  readonly select: ReadonlySet<string> | undefined;
}

/** Returns one entity as the answer to its read or its insertion. */
export function encodeEntity(entity: StoredEntity, format: EntityFormat): string {
  return joined([...contextOf(format, '/@Element'), ...membersOf(entity, format)]);
}

/** Returns a page of entities. */
export function encodeEntities(entities: readonly StoredEntity[], format: EntityFormat): string {
  const rows = entities.map((entity) => joined(membersOf(entity, format)));
  return joined([...contextOf(format, ''), `"value":[${rows.join(',')}]`]);
}

/** Returns an entity as one line that `decodeEntity` reads back: keys, types, and a Timestamp where one is known. */
export function encodeEntityLine({
  partitionKey,
  rowKey,
  timestamp,
  properties,
}: Pick<StoredEntity, 'partitionKey' | 'rowKey' | 'properties'> & {
  readonly timestamp?: string | undefined;
}): string {
  const members = [
    member('PartitionKey', partitionKey),
    member('RowKey', rowKey),
    ...(timestamp === undefined ? [] : [member('Timestamp', timestamp)]),
    ...[...properties].map(([name, value]) => encodeProperty(name, value, 'minimal')),
  ];
  return escapeLineBreakers(joined(members));
}

function contextOf({ level, base, table, select }: EntityFormat, suffix: string): string[] {
  if (level === 'none') return [];
  const chosen = select === undefined ? '' : `&$select=${[...select].join(',')}`;
  return [member('odata.metadata', `${base}/$metadata#${table}${suffix}${chosen}`)];
}

/** What was asked for by name and is not there is null, as the service answers (Azurite issue 2535). */
function membersOf(entity: StoredEntity, format: EntityFormat): string[] {
  const { level, base, account, table, select } = format;
  const isWanted = (name: string): boolean => select === undefined || select.has(name);
  const members: string[] = [];
  if (level === 'full') {
    const address = entityAddress(table, entity);
    members.push(member('odata.type', `${account}.${table}`));
    members.push(member('odata.id', `${base}/${address}`));
    members.push(member('odata.etag', entity.etag), member('odata.editLink', address));
  } else if (level === 'minimal') members.push(member('odata.etag', entity.etag));
  if (isWanted('PartitionKey')) members.push(member('PartitionKey', entity.partitionKey));
  if (isWanted('RowKey')) members.push(member('RowKey', entity.rowKey));
  if (isWanted('Timestamp')) {
    if (level === 'full') members.push(member(`Timestamp${TYPE_SUFFIX}`, 'Edm.DateTime'));
    members.push(member('Timestamp', entity.timestamp));
  }
  // In which order a region keeps them depends on how they came there; the service sorts what was merged too.
  for (const name of [...entity.properties.keys()].sort()) {
    const value = entity.properties.get(name);
    if (value !== undefined && isWanted(name)) members.push(encodeProperty(name, value, level));
  }
  for (const name of select ?? []) {
    const isThere = SYSTEM_NAMES.has(name) || entity.properties.has(name);
    if (!isThere) members.push(`${JSON.stringify(name)}:null`);
  }
  return members;
}

/** Returns where an entity lies, beneath the address of its service. */
export function entityAddress(
  table: string,
  { partitionKey, rowKey }: Pick<StoredEntity, 'partitionKey' | 'rowKey'>,
): string {
  return `${table}(PartitionKey='${quoted(partitionKey)}',RowKey='${quoted(rowKey)}')`;
}

function quoted(key: string): string {
  return encodeURIComponent(key.replaceAll("'", "''"));
}

/** Returns the member of a property, behind that of its type where its JSON does not tell it and it was asked for. */
function encodeProperty(name: string, field: FieldValue, level: MetadataLevel): string {
  const value = `${JSON.stringify(name)}:${encodeValue(field)}`;
  if (level === 'none' || isToldByJson(field)) return value;
  return `${JSON.stringify(`${name}${TYPE_SUFFIX}`)}:"Edm.${field.type}",${value}`;
}

function isToldByJson({ type, value }: FieldValue): boolean {
  if (type === 'Double') return Number.isFinite(value);
  return type === 'String' || type === 'Boolean' || type === 'Int32';
}

function encodeValue(field: FieldValue): string {
  switch (field.type) {
    case 'String':
    case 'DateTime':
    case 'Guid':
      return JSON.stringify(field.value);
    case 'Boolean':
    case 'Int32':
      return String(field.value);
    case 'Int64':
      return `"${field.value}"`;
    case 'Double':
      return encodeDouble(field.value);
    case 'Binary':
      return `"${Buffer.from(field.value).toString('base64')}"`;
    default:
      return assertNever(field);
  }
}

/** A Double without a fraction is written with one, which tells it from an Int32. */
function encodeDouble(value: number): string {
  if (!Number.isFinite(value)) return `"${value}"`;
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/** `name` is one of the service's own, which holds nothing to escape. */
function member(name: string, value: string): string {
  return `"${name}":${JSON.stringify(value)}`;
}

function joined(members: readonly string[]): string {
  return `{${members.join(',')}}`;
}

function invalid(detail: string): TableError {
  return new TableError('InvalidInput', detail);
}
