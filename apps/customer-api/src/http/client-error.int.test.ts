import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp } from '../testing/create-test-app.ts';

let test: TestApp;
let port = 0;

beforeAll(async () => {
  test = await createTestApp();
  await test.app.listen({ host: '127.0.0.1', port: 0 });
  port = (test.app.server.address() as AddressInfo).port;
});

afterAll(async () => {
  await test.app.close();
});

async function sendRaw(text: string): Promise<{ head: string; body: string }> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    answer += chunk;
  });
  socket.write(text);
  await once(socket, 'close');
  const [head = '', body = ''] = answer.split('\r\n\r\n', 2);
  return { head, body };
}

describe('what the HTTP parser refuses', () => {
  it.each([
    ['no HTTP at all', 'hello\r\n\r\n', 400, 'malformed-request'],
    [
      'too many headers',
      `GET / HTTP/1.1\r\nhost: a\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`,
      431,
      'headers-too-large',
    ],
  ])(
    '%s is answered with a problem, and the connection closed',
    async (_name, text, status, code) => {
      const { head, body } = await sendRaw(text);
      expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
      expect(head).toContain('content-type: application/problem+json');
      expect(head).toContain('x-tandem-region: east');
      const problem = JSON.parse(body);
      expect(problem).toMatchObject({ type: `/problems/${code}`, status });
      expect(head).toContain(`x-request-id: ${problem.instance}`);
    },
  );
});
