import Fastify, { type FastifyInstance } from 'fastify';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bodyTimeoutPlugin } from './body-timeout.ts';
import { problemsPlugin } from './problems.ts';

let app: FastifyInstance;
let port = 0;

beforeAll(async () => {
  app = Fastify({ forceCloseConnections: true });
  await app.register(problemsPlugin);
  await app.register(bodyTimeoutPlugin);
  app.post('/slow', { config: { bodyTimeoutMs: 200 } }, async () => ({ ok: true }));
  await app.listen({ host: '127.0.0.1', port: 0 });
  port = (app.server.address() as AddressInfo).port;
});

afterAll(async () => {
  await app.close();
});

const HEAD = 'POST /slow HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n';

describe('a body that does not arrive', () => {
  it('is answered with 408 in time, and the connection closed', async () => {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      answer += chunk;
    });
    socket.write(`${HEAD}content-length: 100\r\n\r\n{"half":`);
    await once(socket, 'close');
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toContain('"type":"/problems/request-timeout"');
  });

  it('does not concern one that has arrived', async () => {
    const response = await fetch(`http://127.0.0.1:${port}/slow`, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
    });
    expect(await response.json()).toEqual({ ok: true });
  });
});
