import { type RowOperation, type RowRange, TerminalError } from '@tandem/core';
import { encodeProperties, encodeRow } from './row-json.ts';

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

export function getRequest(table: string, partitionKey: string, rowKey: string): TableRequest {
  return { method: 'GET', path: rowPath(table, partitionKey, rowKey), headers: ACCEPT };
}

export function queryRequest(range: RowRange, position: QueryPosition | undefined): TableRequest {
  const parameters = [`$top=${range.limit}`, `$filter=${encodeURIComponent(filterOf(range))}`];
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

function filterOf({ partitions, rowsFrom, rowsBefore }: RowRange): string {
  const conditions =
    typeof partitions === 'string'
      ? [`PartitionKey eq ${quote(partitions)}`]
      : [
          `PartitionKey ge ${quote(partitions.from)}`,
          `PartitionKey lt ${quote(partitions.before)}`,
        ];
  if (rowsFrom !== undefined) conditions.push(`RowKey ge ${quote(rowsFrom)}`);
  if (rowsBefore !== undefined) conditions.push(`RowKey lt ${quote(rowsBefore)}`);
  return conditions.join(' and ');
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Where the service says that a query goes on; both values mean something to it only. */
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

/** What the table service says when it does not do what it was asked. */
export interface ServiceRefusal {
  readonly status: number;
  /** Such as `EntityAlreadyExists`; empty when the answer names none. */
  readonly code: string;
  readonly message: string;
  /** Which operation of a batch it is about, when the message leads with it. */
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
