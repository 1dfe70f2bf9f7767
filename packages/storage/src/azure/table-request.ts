import type { RowOperation, RowRange } from '@tandem/core';
import type { QueryPosition } from './query-position.ts';
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
