import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp } from '../testing/create-test-app.ts';

let test: TestApp;
let port: number;

beforeAll(async () => {
  test = await createTestApp();
  await test.app.listen({ host: '127.0.0.1', port: 0 });
  ({ port } = test.app.server.address() as AddressInfo);
});

afterAll(() => test.app.close());

/** The head and the body of the answer to these bytes. */
async function answerTo(bytes: string, end = '}'): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.setEncoding('utf8');
  socket.write(bytes);
  let read = '';
  while (!read.includes(end)) {
    const [chunk] = (await once(socket, 'data')) as [string];
    read += chunk;
  }
  socket.destroy();
  return read;
}

describe('a request that Node would answer by itself', () => {
  it('is refused with a problem when it names no host', async () => {
    const answer = await answerTo('GET /health/live HTTP/1.1\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('x-tandem-region: east');
    expect(answer).toContain('"type":"/problems/malformed-request"');
  });

  it('is refused when it names two hosts (RFC 9112, 3.2)', async () => {
    const answer = await answerTo('GET /health/live HTTP/1.1\r\nhost: a\r\nHOST: b\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('"type":"/problems/malformed-request"');
  });

  it('is answered as any other when it expects what nobody knows', async () => {
    const head = 'GET /health/live HTTP/1.1\r\nhost: a\r\nexpect: the-impossible\r\n\r\n';
    expect(await answerTo(head)).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe('C5: a DELETE that announces a body and sends none', () => {
  const PATH = '/customers/4f1c9d0e-6a53-4b3e-9f0a-2f6b0c1d7e88';
  const CHUNKED = 'transfer-encoding: chunked\r\n';

  it.each([
    ['', ''],
    ['content-type: application/x-www-form-urlencoded\r\ncontent-length: 0\r\n', ''],
    ['content-type: text/plain; charset=latin1\r\ncontent-encoding: gzip\r\n', ''],
    [CHUNKED, '0\r\n\r\n'],
    [`content-type: application/octet-stream\r\n${CHUNKED}`, '0\r\n\r\n'],
    [`content-type: application/json\r\n${CHUNKED}`, '0\r\n\r\n'],
  ])('is done: %j', async (head, body) => {
    await test.app.inject({ method: 'PUT', url: PATH, payload: { email: 'a@b' } });
    const request = `DELETE ${PATH} HTTP/1.1\r\nhost: a\r\n${head}\r\n${body}`;
    expect(await answerTo(request, '\r\n\r\n')).toMatch(/^HTTP\/1\.1 204 /);
  });
});
