import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { fastify } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp } from '../testing/create-test-app.ts';
import { createConstantHeaders } from './constant-headers.ts';

let test: TestApp;
let port: number;

beforeAll(async () => {
  test = await createTestApp();
  await test.app.listen({ host: '127.0.0.1', port: 0 });
  ({ port } = test.app.server.address() as AddressInfo);
});

afterAll(() => test.app.close());

const CUSTOMER = '4f1c9d0e-6a53-4b3e-9f0a-2f6b0c1d7e88';

/** The names of the headers of the answer, in lower case and in order, each as often as it was sent. */
async function namesSent(method: string, path: string, on = port): Promise<string[]> {
  const socket = connect({ port: on, host: '127.0.0.1' });
  socket.setEncoding('utf8');
  socket.write(`${method} ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`);
  let read = '';
  socket.on('data', (chunk: string) => {
    read += chunk;
  });
  await once(socket, 'close');
  const [head = ''] = read.split('\r\n\r\n');
  return head
    .split('\r\n')
    .slice(1)
    .map((line) => line.slice(0, line.indexOf(':')).toLowerCase())
    .sort();
}

describe('what is the same on every answer', () => {
  it.each([
    ['GET', '/health/live'],
    ['GET', `/customers/${CUSTOMER}`],
    ['HEAD', `/customers/${CUSTOMER}`],
    ['DELETE', `/customers/${CUSTOMER}`],
    ['PUT', `/customers/${CUSTOMER}`],
    ['GET', '/nowhere'],
    ['GET', '/openapi.json'],
    ['GET', '/docs/static/index.html'],
    ['GET', '/customers/%zz'],
  ])('is sent once with %s %s, as an answer without a socket has it', async (method, path) => {
    const { headers } = await test.app.inject({ method: method as 'GET', url: path });
    const names = await namesSent(method, path);
    const ofConnection = new Set(['connection', 'date', 'keep-alive', 'transfer-encoding']);
    const own = names.filter((name) => !ofConnection.has(name));
    expect(own).toEqual(
      Object.keys(headers)
        .filter((name) => !ofConnection.has(name))
        .sort(),
    );
    expect(own).toContain('content-security-policy');
    expect(own).toContain('x-tandem-region');
  });

  it('is text that Node would take, or the server does not start', () => {
    expect(() => createConstantHeaders({ 'x-a': 'one\r\nx-b: two' })).toThrow(/x-a|invalid/i);
    expect(() => createConstantHeaders({ 'x a': 'one' })).toThrow(/x a|invalid/i);
  });

  it('is sent by a server that has its own way to the answer', async () => {
    const constant = createConstantHeaders({ 'x-a': 'one' });
    const app = fastify({ http: { ServerResponse: constant.ServerResponse } });
    app.get('/', (_request, reply) => {
      reply.hijack();
      reply.raw.end('here');
    });
    await app.listen({ host: '127.0.0.1', port: 0 });
    const { port: own } = app.server.address() as AddressInfo;
    expect((await namesSent('GET', '/', own)).filter((name) => name === 'x-a')).toHaveLength(1);
    await app.close();
  });
});
