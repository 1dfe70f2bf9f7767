import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import Fastify, { type FastifyInstance, type onRequestHookHandler } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { problemsPlugin } from './problems.ts';
import { bodyTimeoutPlugin } from './protection.ts';

let app: FastifyInstance;
let port = 0;

beforeAll(async () => {
  app = Fastify({ forceCloseConnections: true });
  await app.register(problemsPlugin);
  await app.register(bodyTimeoutPlugin);
  app.post('/slow', { config: { bodyTimeoutMs: 200 } }, async () => ({ ok: true }));
  app.post('/prompt', { config: { bodyTimeoutMs: 30_000 } }, async () => ({ ok: true }));
  const refuse: onRequestHookHandler = (_request, reply, _done) => {
    reply.code(403).send({ refused: true });
  };
  app.post('/refused', { config: { bodyTimeoutMs: 200 }, onRequest: refuse }, async () => ({}));
  await app.listen({ host: '127.0.0.1', port: 0 });
  port = (app.server.address() as AddressInfo).port;
});

afterAll(async () => {
  await app.close();
});

function startBody(path: string): string {
  return `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"half":`;
}

async function answerUntilClosed(path: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    answer += chunk;
  });
  socket.write(startBody(path));
  await once(socket, 'close');
  return answer;
}

describe('a body that does not arrive', () => {
  it('is answered with 408 in time, and the connection closed', async () => {
    const answer = await answerUntilClosed('/slow');
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toContain('"type":"/problems/request-timeout"');
  });

  it('loses its connection in time also when it was answered before', async () => {
    const answer = await answerUntilClosed('/refused');
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    expect(answer).toContain('"refused":true');
  });

  it('does not concern one that has arrived', async () => {
    const response = await fetch(`http://127.0.0.1:${port}/prompt`, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
    });
    expect(await response.json()).toEqual({ ok: true });
  });
});
