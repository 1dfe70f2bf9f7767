import { type AddressInfo, connect } from 'node:net';
import { once } from 'node:events';
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
async function answerTo(bytes: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.setEncoding('utf8');
  socket.write(bytes);
  let read = '';
  while (!read.includes('}')) {
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
