/**
 * The language of the table service: requests, what it refuses them with, entity group transactions (a
 * multipart body that holds the requests, and an answer that holds theirs) and rows in JSON. It is spoken
 * here and not by `@azure/data-tables` 13.3, whose `submitTransaction` drops the ETag of a delete, so that a
 * conditional delete would remove whatever version is there, and which reads the Double 12.0 as the
 * Int32 12 (it looks at the number after it was parsed; the text told them apart) and gives the columns
 * `etag`, `timestamp`, `partitionKey` and `rowKey` away to its own properties of those names.
 * https://learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions
 */
import {
  assertNever,
  canonicalValue,
  type FieldValue,
  isInt32,
  isInt64,
  type Properties,
  printPredicate,
  type RowOperation,
  type RowRange,
  type TableRow,
  TerminalError,
  TransientError,
} from '@tandem/core';

/** One request of the table service's REST interface; `path` is relative to the account's URL. */
export interface TableRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

const ACCEPT = { Accept: 'application/json;odata=minimalmetadata' };
const CONTENT = {
  ...ACCEPT,
  'Content-Type': 'application/json',
  Prefer: 'return-no-content',
};
const WHATEVER_IS_THERE = '*';

export function createTableRequest(table: string): TableRequest {
  const body = JSON.stringify({ TableName: table });
  return { method: 'POST', path: 'Tables', headers: CONTENT, body };
}

/** Asks for next to nothing, of what every account has. */
export function listTablesRequest(): TableRequest {
  return { method: 'GET', path: 'Tables?$top=1', headers: ACCEPT };
}

export function getRequest(table: string, partitionKey: string, rowKey: string): TableRequest {
  return { method: 'GET', path: rowPath(table, partitionKey, rowKey), headers: ACCEPT };
}

export function queryRequest(range: RowRange, position: QueryPosition | undefined): TableRequest {
  const parameters = [`$top=${range.limit}`, `$filter=${encodeURIComponent(filterOf(range))}`];
  if (range.select !== undefined) {
    const names = ['PartitionKey', 'RowKey', ...range.select];
    parameters.push(`$select=${encodeURIComponent(names.join(','))}`);
  }
  if (position !== undefined) {
    parameters.push(`NextPartitionKey=${encodeURIComponent(position.nextPartitionKey)}`);
    const { nextRowKey } = position;
    if (nextRowKey !== undefined) parameters.push(`NextRowKey=${encodeURIComponent(nextRowKey)}`);
  }
  return { method: 'GET', path: `${range.table}()?${parameters.join('&')}`, headers: ACCEPT };
}

export function operationRequest(
  table: string,
  partitionKey: string,
  operation: RowOperation,
): TableRequest {
  const path = rowPath(table, partitionKey, operation.rowKey);
  if (operation.kind === 'delete') {
    const headers = { ...ACCEPT, 'If-Match': operation.etag ?? WHATEVER_IS_THERE };
    return { method: 'DELETE', path, headers };
  }
  const { rowKey, properties } = operation;
  if (operation.kind === 'replace' && operation.changed !== undefined) {
    // A merge: of a row whose version is known it is the same, and less work for both.
    const body = encodeProperties(properties, operation.changed);
    return { method: 'PATCH', path, headers: { ...CONTENT, 'If-Match': operation.etag }, body };
  }
  const body = encodeRow(partitionKey, rowKey, properties);
  if (operation.kind === 'insert') return { method: 'POST', path: table, headers: CONTENT, body };
  const condition = operation.kind === 'replace' ? { 'If-Match': operation.etag } : {};
  return { method: 'PUT', path, headers: { ...CONTENT, ...condition }, body };
}

function rowPath(table: string, partitionKey: string, rowKey: string): string {
  const [partition, row] = [partitionKey, rowKey].map((key) => encodeURIComponent(quote(key)));
  return `${table}(PartitionKey=${partition},RowKey=${row})`;
}

function filterOf(range: RowRange): string {
  const { partitions, rowsFrom, rowsAfter, rowsBefore, rowsThrough, where, writtenFromMs } = range;
  const conditions =
    typeof partitions === 'string'
      ? [`PartitionKey eq ${quote(partitions)}`]
      : [
          `PartitionKey ge ${quote(partitions.from)}`,
          `PartitionKey lt ${quote(partitions.before)}`,
        ];
  if (rowsFrom !== undefined) conditions.push(`RowKey ge ${quote(rowsFrom)}`);
  if (rowsAfter !== undefined) conditions.push(`RowKey gt ${quote(rowsAfter)}`);
  if (rowsBefore !== undefined) conditions.push(`RowKey lt ${quote(rowsBefore)}`);
  if (rowsThrough !== undefined) conditions.push(`RowKey le ${quote(rowsThrough)}`);
  if (writtenFromMs !== undefined) {
    conditions.push(`Timestamp ge datetime'${new Date(writtenFromMs).toISOString()}'`);
  }
  if (where !== undefined) conditions.push(`(${printPredicate(where)})`);
  return conditions.join(' and ');
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Says where the service goes on with a query; both values mean something to it only. */
interface QueryPosition {
  readonly nextPartitionKey: string;
  readonly nextRowKey: string | undefined;
}

export function encodeContinuation(position: QueryPosition): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

/** Throws `CURSOR_INVALID`. */
export function decodeContinuation(continuation: string | undefined): QueryPosition | undefined {
  if (continuation === undefined) return undefined;
  const position = parse(Buffer.from(continuation, 'base64url').toString());
  if (isPosition(position)) return position;
  const message = 'The continuation was not made by this store. Start from the first page.';
  throw new TerminalError('CURSOR_INVALID', message);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isPosition(value: unknown): value is QueryPosition {
  if (typeof value !== 'object' || value === null) return false;
  const { nextPartitionKey, nextRowKey } = value as Partial<QueryPosition>;
  const isRowKey = nextRowKey === undefined || typeof nextRowKey === 'string';
  return typeof nextPartitionKey === 'string' && isRowKey;
}

/** Holds what the table service says when it does not do what it was asked. */
export interface ServiceRefusal {
  readonly status: number;
  /** Such as `EntityAlreadyExists`; empty when the answer names none. */
  readonly code: string;
  readonly message: string;
  /** Says which operation of a batch it is about, when the message leads with it. */
  readonly index: number | undefined;
  readonly retryAfterMs: number | undefined;
}

/** Every kind of header access fits: `(name) => headers.get(name)`. */
type HeaderLookup = (name: string) => string | undefined;

const MESSAGE_LENGTH_MAX = 300;
const NO_HEADERS: HeaderLookup = () => undefined;

/** Reads JSON and XML alike: what stands before the tables (load, authentication) answers in XML. */
export function readRefusal(
  status: number,
  text: string,
  header: HeaderLookup = NO_HEADERS,
): ServiceRefusal {
  const code = header('x-ms-error-code') ?? readMember(text, 'code') ?? '';
  const full = readMember(text, 'value') ?? readMember(text, 'message') ?? '';
  const index = /^(\d{1,3}):/.exec(full)?.[1];
  return {
    status,
    code,
    // The rest is the request's id and time, and for a failed signature what was signed.
    message: (full.split('\n')[0] ?? '').replace(/^\d{1,3}:/, '').slice(0, MESSAGE_LENGTH_MAX),
    index: index === undefined ? undefined : Number(index),
    retryAfterMs: readRetryAfterMs(header),
  };
}

function readMember(text: string, name: string): string | undefined {
  const json = new RegExp(`"${name}":("(?:[^"\\\\]|\\\\.)*")`).exec(text)?.[1];
  if (json !== undefined) return String(JSON.parse(json));
  return new RegExp(`<(?:m:)?${name}[^>]*>([^<]*)<`).exec(text)?.[1];
}

function readRetryAfterMs(header: HeaderLookup): number | undefined {
  for (const name of ['retry-after-ms', 'x-ms-retry-after-ms']) {
    const milliseconds = Number(header(name) ?? Number.NaN);
    if (milliseconds >= 0) return milliseconds;
  }
  const seconds = Number(header('retry-after') ?? Number.NaN);
  return seconds >= 0 ? seconds * 1_000 : undefined;
}

const LINE = '\r\n';

interface Batch {
  readonly contentType: string;
  readonly body: string;
}

export interface BatchPart {
  readonly status: number;
  readonly etag: string | undefined;
  /** Holds the answer to one request, headers and body. */
  readonly text: string;
}

/** `id` must be new for each batch; `accountUrl` ends in a slash. */
export function encodeBatch(
  id: string,
  accountUrl: string,
  requests: readonly TableRequest[],
): Batch {
  const batch = `batch_${id}`;
  const changeset = `changeset_${id}`;
  const parts = requests.map((request) => encodePart(changeset, accountUrl, request));
  const lines = [
    `--${batch}`,
    `Content-Type: multipart/mixed; boundary=${changeset}`,
    '',
    ...parts,
    `--${changeset}--`,
    `--${batch}--`,
    '',
  ];
  return { contentType: `multipart/mixed; boundary=${batch}`, body: lines.join(LINE) };
}

function encodePart(changeset: string, accountUrl: string, request: TableRequest): string {
  const headers = { ...request.headers, DataServiceVersion: '3.0' };
  return [
    `--${changeset}`,
    'Content-Type: application/http',
    'Content-Transfer-Encoding: binary',
    '',
    `${request.method} ${accountUrl}${request.path} HTTP/1.1`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    '',
    request.body ?? '',
  ].join(LINE);
}

/** Returns one part for each request, or a single one that says why the whole was refused. */
export function decodeBatch(text: string): BatchPart[] {
  const parts = text.split(/^--changesetresponse_[^\r\n]*/m).slice(1, -1);
  return parts.map((text) => ({
    status: Number(/^HTTP\/1\.1 (\d{3})/m.exec(text)?.[1] ?? 0),
    etag: copyOf(/^ETag: (.*?)\r?$/im.exec(text)?.[1]),
    text,
  }));
}

/** Copies a part of a text: what is cut from one keeps all of it in memory, and ETags are remembered for long. */
function copyOf(etag: string | undefined): string | undefined {
  return etag && Buffer.from(etag, 'latin1').toString('latin1');
}

const TYPE_SUFFIX = '@odata.type';
const SYSTEM_COLUMNS = new Set(['PartitionKey', 'RowKey', 'Timestamp']);
const INT64 = /^-?\d{1,19}$/;

function encodeRow(partitionKey: string, rowKey: string, properties: Properties): string {
  const members = [member('PartitionKey', partitionKey), member('RowKey', rowKey)];
  for (const [name, value] of properties) pushProperty(members, name, value);
  return joinMembers(members);
}

/** Encodes those that are named, without the keys of the row. */
function encodeProperties(properties: Properties, names: ReadonlySet<string>): string {
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

/**
 * A row that somebody else wrote may hold anything: it is marked, and takes no other row with it. Throws
 * `TABLE_UNAVAILABLE` for an answer without rows, which a proxy gives and not the service: it does not mean that there are none.
 */
export function decodeRows(text: string): TableRow[] {
  const json = parseExactly(text);
  const value = isRecord(json) ? json['value'] : undefined;
  if (!Array.isArray(value)) throw notRows();
  return value.map(toRow);
}

/** Throws `ROW_MALFORMED`, and `TABLE_UNAVAILABLE` for what is no row at all. */
export function decodeRow(text: string): TableRow {
  const row = toRow(parseExactly(text));
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

function notRows(): TransientError {
  const message = 'The table service answered JSON without rows: something else stands there.';
  return new TransientError('TABLE_UNAVAILABLE', message);
}

function isRecord(value: unknown): value is RowJson {
  return typeof value === 'object' && value !== null;
}

function toRow(json: unknown): TableRow {
  if (!isRecord(json)) throw notRows();
  const { PartitionKey: partitionKey, RowKey: rowKey } = json;
  if (typeof partitionKey !== 'string' || typeof rowKey !== 'string') throw notRows();
  const properties = new Map<string, FieldValue>();
  let damage: string | undefined;
  for (const [name, value] of Object.entries(json)) {
    if (SYSTEM_COLUMNS.has(name) || name.startsWith('odata.') || name.includes('@')) continue;
    // Asked for by name, and not there.
    if (value === null) continue;
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
