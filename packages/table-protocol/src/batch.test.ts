import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Batch, checkOperationCount, encodeBatch, parseBatch } from './batch.ts';
import { refusalOf } from './testing/refusal.ts';

const operation = (
  body: string,
  head = 'POST https://a.table.core.windows.net/T?$format=json HTTP/1.1',
): string[] => [
  '--changeset_1',
  'Content-Type: application/http',
  'Content-Transfer-Encoding: binary',
  '',
  head,
  'Accept: application/json;odata=minimalmetadata',
  'if-match: *',
  '',
  body,
];
const batch = (operations: readonly string[][]): string[] => [
  '--batch_1',
  'Content-Type: multipart/mixed; boundary=changeset_1',
  '',
  ...operations.flat(),
  '--changeset_1--',
  '',
  '--batch_1--',
  '',
];
const TYPE = 'multipart/mixed; boundary=batch_1';

describe('a batch', () => {
  it.each(['\r\n', '\n'])('is read with line ends %o', (end) => {
    const text = batch([
      operation('{"a":1}'),
      operation('', "DELETE /T(PartitionKey='p',RowKey='r') HTTP/1.1"),
    ]).join(end);
    expect(parseBatch(TYPE, text)).toEqual({
      isChangeSet: true,
      requests: [
        {
          method: 'POST',
          target: '/T?$format=json',
          headers: { accept: 'application/json;odata=minimalmetadata', 'if-match': '*' },
          body: '{"a":1}',
        },
        expect.objectContaining({
          method: 'DELETE',
          target: "/T(PartitionKey='p',RowKey='r')",
          body: '',
        }),
      ],
    });
  });

  it('is read with quoted boundaries, with text around it, and without its last boundary', () => {
    const whole = `a preamble\r\n${batch([operation('{}')]).join('\r\n')}an epilogue`;
    expect(
      parseBatch('Multipart/Mixed;charset=x; Boundary="batch_1"', whole).requests,
    ).toHaveLength(1);
    const cut = batch([operation('{}')])
      .slice(0, -4)
      .join('\r\n');
    expect(parseBatch(TYPE, cut).requests).toMatchObject([{ body: '{}' }]);
  });

  it('keeps a body that holds its boundaries within a line', () => {
    const body = '{"a":"--changeset_1 --batch_1--"}';
    expect(parseBatch(TYPE, batch([operation(body)]).join('\r\n')).requests).toMatchObject([
      { body },
    ]);
  });

  it('takes the verb that a tunnelled one means', () => {
    const text = batch([
      [
        '--changeset_1',
        'Content-Type: application/http',
        '',
        'POST /T HTTP/1.1',
        'X-HTTP-Method: MERGE',
        '',
        '{}',
      ],
    ]);
    expect(parseBatch(TYPE, text.join('\r\n')).requests).toMatchObject([{ method: 'MERGE' }]);
  });

  it('is read as the page of the service has it, with a blank in an address', () => {
    const row = "/Blogs(PartitionKey='Channel_17', RowKey='3')";
    const head = `MERGE https://a.table.core.windows.net${row} HTTP/1.1`;
    const text = batch([operation('{}', head)]).join('\r\n');
    expect(parseBatch(TYPE, text).requests).toMatchObject([{ method: 'MERGE', target: row }]);
  });

  it('may hold one read', () => {
    const text = [
      '--batch_1',
      'Content-Type: application/http',
      '',
      'GET /T() HTTP/1.1',
      '',
      '',
      '--batch_1--',
    ];
    expect(parseBatch(TYPE, text.join('\r\n'))).toMatchObject({
      isChangeSet: false,
      requests: [{ method: 'GET', target: '/T()' }],
    });
  });

  it('has at most a hundred operations, and the error names the last that may be', () => {
    const most = Array.from({ length: 100 }, () => operation('{}'));
    const read = (count: number): Batch =>
      parseBatch(TYPE, batch([...most, ...most].slice(0, count)).join('\r\n'));
    expect(() => checkOperationCount(read(100))).not.toThrow();
    expect(read(200).requests).toHaveLength(101);
    expect(() => checkOperationCount(read(101))).toThrow(
      expect.objectContaining({
        code: 'InvalidInput',
        operation: 99,
        message: expect.stringContaining('maximum 100 changes') as string,
      }),
    );
  });

  it.each<[string, string, string]>([
    ['another type', 'application/json', '{}'],
    ['no boundary', 'multipart/mixed', '--x'],
    ['a boundary that is not there', TYPE, 'nothing'],
    ['no part', TYPE, '--batch_1--'],
    [
      'two change sets',
      TYPE,
      [...batch([operation('{}')]).slice(0, -2), ...batch([operation('{}')])].join('\r\n'),
    ],
    ['no operation', TYPE, batch([]).join('\r\n')],
    ['a read in a change set', TYPE, batch([operation('', 'GET /T() HTTP/1.1')]).join('\r\n')],
    [
      'a write outside of one',
      TYPE,
      '--batch_1\r\nContent-Type: application/http\r\n\r\nPOST /T HTTP/1.1\r\n\r\n{}\r\n--batch_1--',
    ],
    ['no request line', TYPE, batch([operation('', 'hello')]).join('\r\n')],
    [
      'a header that is none',
      TYPE,
      batch([['--changeset_1', 'nonsense', '', 'POST /T HTTP/1.1', '', '']]).join('\r\n'),
    ],
    [
      'endless headers',
      TYPE,
      batch([
        [
          '--changeset_1',
          ...Array.from({ length: 100 }, (_, nth) => `a${nth}: b`),
          '',
          'POST /T HTTP/1.1',
          '',
          '',
        ],
      ]).join('\r\n'),
    ],
    [
      'a header twice in a part',
      TYPE,
      batch([operation('{}').toSpliced(6, 0, 'If-Match: W/"other"')]).join('\r\n'),
    ],
  ])('with %s is refused', (_, type, text) => {
    expect(() => parseBatch(type, text)).toThrow(expect.objectContaining({ code: 'InvalidInput' }));
  });

  // It takes milliseconds; by the square of the length it would be half a minute.
  it('with a long line of blanks is read at once', { timeout: 10_000 }, () => {
    const blanks = `a: b${' '.repeat(200_000)}c`;
    const text = ['--batch_1', blanks, '', 'GET /T() HTTP/1.1', '', '', '--batch_1--'].join('\n');
    expect(refusalOf(() => parseBatch(TYPE, text))).toBe('InvalidInput');
  });

  it('of any text is read or refused, and nothing else', () => {
    const line = fc.constantFrom(
      '--batch_1',
      '--batch_1--',
      '--changeset_1',
      '--changeset_1--',
      '',
      'Content-Type: application/http',
      'Content-Type: multipart/mixed; boundary=changeset_1',
      'POST /T HTTP/1.1',
      '{}',
      ':',
      '--',
      'a: b',
    );
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 30 }),
        fc.constantFrom('\n', '\r\n', '\r'),
        (lines, end) => {
          const code = refusalOf(() => parseBatch(TYPE, lines.join(end)));
          expect([undefined, 'InvalidInput']).toContain(code);
        },
      ),
      { numRuns: 3_000 },
    );
  });
});

describe('the answer to a batch', () => {
  it('stands as the service writes it', () => {
    const { contentType, body } = encodeBatch(
      [{ status: 204, reason: 'No Content', headers: { ETag: 'W/"1"' } }],
      { isChangeSet: true, id: 'x' },
    );
    expect(contentType).toBe('multipart/mixed; boundary=batchresponse_x');
    expect(body).toBe(
      '--batchresponse_x\r\nContent-Type: multipart/mixed; boundary=changesetresponse_x\r\n\r\n--changesetresponse_x\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\nHTTP/1.1 204 No Content\r\nETag: W/"1"\r\n\r\n\r\n--changesetresponse_x--\r\n--batchresponse_x--\r\n',
    );
  });
});
