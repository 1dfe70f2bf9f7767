import { type FieldValue, operationBytes, type RowOperation } from '@tandem/core';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeBatch, encodeBatch, operationRequest } from './table-requests.ts';

const ACCOUNT_URL = 'https://tandemeast.table.core.windows.net/';

describe('a batch', () => {
  test('says for each operation what must hold of the row, for deletes too', () => {
    const operations: RowOperation[] = [
      { kind: 'insert', rowKey: 'a', properties: new Map() },
      { kind: 'replace', rowKey: "b'b", properties: new Map(), etag: 'W/"1"' },
      { kind: 'upsert', rowKey: 'c', properties: new Map() },
      { kind: 'delete', rowKey: 'd', etag: 'W/"2"' },
      { kind: 'delete', rowKey: 'e' },
    ];
    const requests = operations.map((operation) => operationRequest('T', 'p', operation));
    const { body } = encodeBatch('1', ACCOUNT_URL, requests);
    const parts = body.split('--changeset_1\r\n').slice(1);
    const lines = parts.map((part) => part.split('\r\n').slice(3));
    expect(lines.map(([request]) => request)).toEqual([
      `POST ${ACCOUNT_URL}T HTTP/1.1`,
      `PUT ${ACCOUNT_URL}T(PartitionKey='p',RowKey='b''b') HTTP/1.1`,
      `PUT ${ACCOUNT_URL}T(PartitionKey='p',RowKey='c') HTTP/1.1`,
      `DELETE ${ACCOUNT_URL}T(PartitionKey='p',RowKey='d') HTTP/1.1`,
      `DELETE ${ACCOUNT_URL}T(PartitionKey='p',RowKey='e') HTTP/1.1`,
    ]);
    const conditions = lines.map((line) => line.find((header) => header.startsWith('If-Match')));
    const expected = [undefined, 'If-Match: W/"1"', undefined, 'If-Match: W/"2"', 'If-Match: *'];
    expect(conditions).toEqual(expected);
  });

  test('never exceeds what operationBytes says of its operations', () => {
    fc.assert(
      fc.property(fc.array(operation, { minLength: 1, maxLength: 8 }), (operations) => {
        const partitionKey = operations[0]?.rowKey ?? 'p';
        const table = 'T'.repeat(63);
        const requests = operations.map((one) => operationRequest(table, partitionKey, one));
        const { body } = encodeBatch(crypto.randomUUID(), ACCOUNT_URL, requests);
        const bound = operations.reduce((sum, one) => sum + operationBytes(partitionKey, one), 0);
        expect(Buffer.byteLength(body)).toBeLessThanOrEqual(bound);
      }),
    );
  });

  test('is answered part by part, each with its ETag', () => {
    const part = (status: string, etag: string) =>
      `--changesetresponse_2\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 ${status}\r\n${etag}\r\n\r\n`;
    const text =
      '--batchresponse_1\r\nContent-Type: multipart/mixed; boundary=changesetresponse_2\r\n\r\n' +
      `${part('204 No Content', `ETag: W/"datetime'1'"`)}${part('204 No Content', '')}` +
      '--changesetresponse_2--\r\n--batchresponse_1--\r\n';
    expect(decodeBatch(text).map(({ status, etag }) => [status, etag])).toEqual([
      [204, `W/"datetime'1'"`],
      [204, undefined],
    ]);
  });

  test('an answer that was cut off has fewer parts', () => {
    expect(decodeBatch('')).toEqual([]);
    expect(decodeBatch('--batchresponse_1\r\n--changesetresponse_2\r\nHTTP/1.1 204')).toEqual([]);
  });
});

const text = fc.string({ unit: 'binary', maxLength: 60 });
const value: fc.Arbitrary<FieldValue> = fc.oneof(
  text.map((value) => ({ type: 'String', value }) as const),
  fc.constant({ type: 'String', value: '\u2028'.repeat(300) } as const),
  fc.constant({ type: 'String', value: '\u0000'.repeat(300) } as const),
  fc.double().map((value) => ({ type: 'Double', value }) as const),
  fc
    .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    .map((value) => ({ type: 'Int64', value }) as const),
  fc.uint8Array({ maxLength: 60 }).map((value) => ({ type: 'Binary', value }) as const),
  fc.uuid().map((value) => ({ type: 'Guid', value }) as const),
);
const operation: fc.Arbitrary<RowOperation> = fc.record({
  kind: fc.constantFrom('insert', 'upsert'),
  rowKey: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 200 }),
  properties: fc
    .dictionary(fc.stringMatching(/^[\p{L}_][\p{L}\p{Mn}\p{Mc}\p{N}_]{0,20}$/u), value)
    .map((record) => new Map(Object.entries(record))),
});
