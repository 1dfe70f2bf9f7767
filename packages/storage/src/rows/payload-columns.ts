import { type FieldValue, type Properties, TerminalError } from '@tandem/core';

const COLUMN_BYTES_MAX = 64 * 1024;
const COLUMNS_MAX = 16;

/** Bytes spread over as many Binary columns as they need: `payload0`, `payload1`, … */
export function toPayloadColumns(bytes: Uint8Array): [string, FieldValue][] {
  const columns: [string, FieldValue][] = [];
  for (let start = 0; start < bytes.length; start += COLUMN_BYTES_MAX) {
    const value = bytes.subarray(start, start + COLUMN_BYTES_MAX);
    columns.push([`payload${columns.length}`, { type: 'Binary', value }]);
  }
  return columns;
}

/** Throws `ROW_MALFORMED` for a row without a payload. */
export function fromPayloadColumns(properties: Properties): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let index = 0; index < COLUMNS_MAX; index += 1) {
    const column = properties.get(`payload${index}`);
    if (column?.type !== 'Binary') break;
    parts.push(column.value);
  }
  if (parts.length === 0) throw new TerminalError('ROW_MALFORMED', 'The row has no payload.');
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}
