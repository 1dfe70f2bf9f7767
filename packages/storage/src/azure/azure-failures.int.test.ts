import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RowOperation, TableStore } from '@tandem/core';
import { afterEach, describe, expect, test } from 'vitest';
import { createAzureTableStore } from './azure-table-store.ts';

const KEY = Buffer.from('not a real key').toString('base64');
const TABLE = 'Devices';
/** Long enough for a request to arrive on a busy machine. */
const TIMEOUT_MS = 500;

let server: Server | undefined;
let requests = 0;
let connections = 0;
let port = 0;

afterEach(async () => {
  server?.closeAllConnections();
  if (server?.listening === true) await once(server.close(), 'close');
});

/** A store whose service does as told. */
async function storeOver(listener: RequestListener, timeoutMs = 60_000): Promise<TableStore> {
  requests = 0;
  connections = 0;
  server = createServer((request, response) => {
    requests += 1;
    listener(request, response);
  }).listen(0, '127.0.0.1');
  server.on('connection', () => {
    connections += 1;
  });
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
  return createAzureTableStore({ connectionString: connectionString(port), timeoutMs });
}

function connectionString(port: number): string {
  const endpoint = `http://127.0.0.1:${port}/account`;
  return `DefaultEndpointsProtocol=http;AccountName=account;AccountKey=${KEY};TableEndpoint=${endpoint}`;
}

const insert = (rowKey: string): RowOperation => ({
  kind: 'insert',
  rowKey,
  properties: new Map(),
});

const calls: readonly [string, 'read' | 'commit', (store: TableStore) => Promise<unknown>][] = [
  ['a get', 'read', (store) => store.get(TABLE, 'p', 'a')],
  ['a query', 'read', (store) => store.query({ table: TABLE, partitions: 'p', limit: 1 })],
  ['the creation of a table', 'read', (store) => store.createTable(TABLE)],
  ['a commit of one', 'commit', (store) => commit(store, insert('a'))],
  ['a commit of two', 'commit', (store) => commit(store, insert('a'), insert('b'))],
];

function commit(store: TableStore, ...operations: RowOperation[]): Promise<unknown> {
  return store.commit({ table: TABLE, partitionKey: 'p', operations });
}

describe('a connection that the service closes in the moment in which it is used again', () => {
  /** Answers the first request of each connection, and breaks it at the second. */
  const breakKept: RequestListener = (request, response) => {
    const { socket } = request;
    if (served.has(socket)) socket.destroy();
    else response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"value":[]}');
    served.add(socket);
  };
  const served = new WeakSet<object>();
  const [get, query] = calls;

  test('has a read asked once more, on a new one', async () => {
    const store = await storeOver(breakKept);
    await query?.[2](store);
    await expect(query?.[2](store)).resolves.toMatchObject({ rows: [] });
    expect([requests, connections]).toEqual([3, 2]);
  });

  test('has a read asked no third time', async () => {
    let answered = 0;
    const store = await storeOver((request, response) => {
      answered += 1;
      if (answered === 1) response.writeHead(404, { 'x-ms-error-code': 'ResourceNotFound' }).end();
      else request.socket.destroy();
    });
    await get?.[2](store);
    await expect(get?.[2](store)).rejects.toMatchObject({ code: 'TABLE_UNAVAILABLE' });
    expect(requests).toBe(3);
  });

  test('leaves a commit unknown', async () => {
    const store = await storeOver(breakKept);
    await query?.[2](store);
    await expect(commit(store, insert('a'))).rejects.toMatchObject({
      code: 'TABLE_OUTCOME_UNKNOWN',
    });
    expect(requests).toBe(2);
  });
});

describe.each(calls)('%s', (_, kind, call) => {
  const noAnswer = kind === 'commit' ? 'TABLE_OUTCOME_UNKNOWN' : 'TABLE_UNAVAILABLE';

  test('that nobody answers ends when its time is over', async () => {
    const store = await storeOver(() => undefined, TIMEOUT_MS);
    await expect(call(store)).rejects.toMatchObject({
      code: noAnswer,
      message: expect.stringContaining(`${TIMEOUT_MS} ms`),
    });
    expect(requests).toBe(1);
  });

  test('whose answer stops half-way ends when its time is over', async () => {
    const store = await storeOver((_, response) => {
      response.writeHead(200, { 'Content-Type': 'application/json' }).write('{');
    }, TIMEOUT_MS);
    await expect(call(store)).rejects.toMatchObject({ code: noAnswer });
  });

  test('whose connection breaks is not asked again', async () => {
    const store = await storeOver((request) => request.socket.destroy());
    await expect(call(store)).rejects.toMatchObject({ code: noAnswer });
    expect(requests).toBe(1);
  });

  test('that meets an internal error is not asked again', async () => {
    const store = await storeOver((_, response) => response.writeHead(500).end());
    await expect(call(store)).rejects.toMatchObject({ code: noAnswer });
    expect(requests).toBe(1);
  });

  test('to a busy service says how long to wait, and is not asked again', async () => {
    const store = await storeOver((_, response) => {
      response.writeHead(503, { 'Retry-After': '3', 'x-ms-error-code': 'ServerBusy' }).end();
    });
    const throttled = { code: 'TABLE_THROTTLED', retryAfterMs: 3_000 };
    await expect(call(store)).rejects.toMatchObject(throttled);
    expect(requests).toBe(1);
  });

  test('without permission is terminal', async () => {
    const store = await storeOver((_, response) => response.writeHead(403).end());
    await expect(call(store)).rejects.toMatchObject({ code: 'TABLE_FORBIDDEN' });
  });

  test('that is sent elsewhere is not followed, nor taken for done', async () => {
    const store = await storeOver((_, response) => {
      response.writeHead(307, { Location: `http://127.0.0.1:${port}/elsewhere` }).end();
    });
    await expect(call(store)).rejects.toMatchObject({ code: 'TABLE_UNAVAILABLE' });
    expect(requests).toBe(1);
  });

  test('that a proxy refuses is not to blame', async () => {
    const store = await storeOver((_, response) => response.writeHead(407).end());
    await expect(call(store)).rejects.toMatchObject({ code: 'TABLE_UNAVAILABLE' });
  });

  test('that is answered in another protocol ends', async () => {
    const store = await storeOver((request) => {
      const head = ['HTTP/1.1 101 Switching Protocols', 'Connection: upgrade', 'Upgrade: other'];
      request.socket.end(`${head.join('\r\n')}\r\n\r\n`);
    });
    await expect(call(store)).rejects.toMatchObject({ code: noAnswer });
  });

  test('to a service that does not run was certainly not done', async () => {
    const store = await storeOver(() => undefined);
    if (server !== undefined) await once(server.close(), 'close');
    await expect(call(store)).rejects.toMatchObject({ code: 'TABLE_UNAVAILABLE' });
  });
});

describe('the time of the service', () => {
  const timeMs = Date.UTC(2026, 0, 31, 23, 59, 58);

  test.each([200, 403, 503])('is in every answer, one of status %i too', async (status) => {
    const store = await storeOver((_, response) => {
      response.writeHead(status, { Date: new Date(timeMs).toUTCString() }).end();
    });
    expect(await store.timeMs()).toBe(timeMs);
  });

  test.each([[{}], [{ Date: 'yesterday' }]])(
    'is unknown where it tells none: %j',
    async (headers) => {
      const store = await storeOver((_, response) => {
        response.sendDate = false;
        response.writeHead(200, headers).end();
      });
      expect(await store.timeMs()).toBeUndefined();
    },
  );

  test('cannot be had without an answer', async () => {
    const store = await storeOver((request) => request.socket.destroy());
    await expect(store.timeMs()).rejects.toMatchObject({ code: 'TABLE_UNAVAILABLE' });
  });
});

test('calls in turn share one connection', async () => {
  const store = await storeOver((_, response) => response.writeHead(404).end());
  for (let count = 0; count < 20; count += 1) await store.get(TABLE, 'p', 'a');
  expect([requests, connections]).toEqual([20, 1]);
});

test.each([
  '{}',
  '[]',
  'null',
  '{"value":"rows"}',
  '{"value":{}}',
  '{"value":[null]}',
  '{"value":[7]}',
  '{"value":[{"PartitionKey":"p"}]}',
  '{"value":[{"PartitionKey":"p","RowKey":7}]}',
  '{"error":"who are you?"}',
])('%s of a proxy is no answer: neither no rows, nor one', async (body) => {
  const store = await storeOver((_, response) => {
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(body);
  });
  for (const [, , call] of calls.slice(0, 2)) {
    await expect(call(store)).rejects.toMatchObject({ code: 'TABLE_UNAVAILABLE' });
  }
});

test('a row whose value is not of its type is malformed', async () => {
  const row = { PartitionKey: 'p', RowKey: 'a', v: 'x', 'v@odata.type': 'Edm.Int64' };
  const store = await storeOver((_, response) => {
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(row));
  });
  await expect(store.get(TABLE, 'p', 'a')).rejects.toMatchObject({ code: 'ROW_MALFORMED' });
});

describe('an account', () => {
  test.each([
    ['that is not on this machine needs https', 'http://storage.example/account'],
    ['needs a URL', 'storage'],
  ])('%s', (_, endpoint) => {
    const connectionString = `DefaultEndpointsProtocol=http;AccountName=a;AccountKey=${KEY};TableEndpoint=${endpoint}`;
    const invalid = { code: 'CONFIGURATION_INVALID', message: expect.not.stringContaining(KEY) };
    expect(() => createAzureTableStore({ connectionString })).toThrow(
      expect.objectContaining(invalid),
    );
  });

  test('may be named by its URL alone', () => {
    const accountUrl = 'https://tandemeast.table.core.windows.net';
    expect(createAzureTableStore({ accountUrl })).toHaveProperty('commit');
  });

  test('with a shared access signature signs by adding it to the URL', async () => {
    const urls: (string | undefined)[] = [];
    await storeOver((request, response) => {
      urls.push(request.url);
      response.writeHead(404).end();
    });
    const connectionString = `TableEndpoint=http://127.0.0.1:${port}/account;SharedAccessSignature=sv=1&sig=a%2Bb`;
    const store = createAzureTableStore({ connectionString });
    await store.get(TABLE, 'p', 'a');
    const query = store.query({ table: TABLE, partitions: 'p', limit: 1 });
    await expect(query).rejects.toMatchObject({ code: 'TABLE_REQUEST_INVALID' });
    expect(urls[0]).toBe(`/account/Devices(PartitionKey='p',RowKey='a')?sv=1&sig=a%2Bb`);
    expect(urls[1]).toMatch(/\?\$top=1&\$filter=.*&sv=1&sig=a%2Bb$/);
  });
});

describe('an answer to a commit of two', () => {
  const part = (status: string): string =>
    '--changesetresponse_2\r\nContent-Type: application/http\r\n\r\n' +
    `HTTP/1.1 ${status}\r\nETag: W/"1"\r\n\r\n`;
  const answering = (...statuses: readonly string[]): Promise<TableStore> =>
    storeOver((request, response) => {
      request.resume();
      response.writeHead(202, { 'Content-Type': 'multipart/mixed; boundary=batchresponse_1' });
      response.end(
        '--batchresponse_1\r\nContent-Type: multipart/mixed; boundary=changesetresponse_2\r\n\r\n' +
          `${statuses.map(part).join('')}--changesetresponse_2--\r\n--batchresponse_1--\r\n`,
      );
    });

  test('is committed when each has its part', async () => {
    const store = await answering('204 No Content', '204 No Content');
    expect(await commit(store, insert('a'), insert('b'))).toMatchObject({ kind: 'committed' });
  });

  test.each([
    ['none', []],
    ['one', ['204 No Content']],
    ['three', ['204 No Content', '204 No Content', '204 No Content']],
  ])('is none that anybody can believe when it has %s', async (_, statuses) => {
    const store = await answering(...statuses);
    await expect(commit(store, insert('a'), insert('b'))).rejects.toMatchObject({
      code: 'TABLE_OUTCOME_UNKNOWN',
    });
  });
});
