import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type ApiAnswer, sendRequest } from './send-request.ts';

async function ask(listener: RequestListener): Promise<ApiAnswer> {
  const server = createServer(listener);
  onTestFinished(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/customers/1`;
  return sendRequest({ method: 'PATCH', url, body: {} });
}

const answering =
  (status: number, body: unknown): RequestListener =>
  (_request, response) => {
    response.writeHead(status, { etag: '"e"', 'x-tandem-version': 'v', 'x-tandem-region': 'east' });
    response.end(status === 204 ? undefined : JSON.stringify(body));
  };

const problem = (code: string) => ({ type: `/problems/${code}` });

describe('what a client may conclude from an answer', () => {
  it.each([
    [200, { customerId: '1', email: 'a@x' }, 'acknowledged'],
    [201, { customerId: '1', email: 'a@x' }, 'acknowledged'],
    [204, undefined, 'acknowledged'],
    [404, problem('customer-not-found'), 'refused'],
    [412, problem('precondition-failed'), 'refused'],
    [409, problem('key-spent'), 'refused'],
    [400, problem('validation-failed'), 'refused'],
    [503, problem('version-not-reached'), 'refused'],
    [503, problem('overloaded'), 'refused'],
    [503, problem('service-unavailable'), 'unknown'],
    [500, problem('internal-error'), 'unknown'],
    [502, { code: 'ENDPOINT_UNREACHABLE', detail: 'did not answer: ECONNREFUSED' }, 'refused'],
    [502, { code: 'ENDPOINT_UNREACHABLE', detail: 'did not answer: ECONNRESET' }, 'unknown'],
    [504, { code: 'ENDPOINT_TIMEOUT' }, 'unknown'],
  ])('%i %j: %s', async (status, body, outcome) => {
    expect(await ask(answering(status, body))).toMatchObject({ status, outcome });
  });

  it('an answer shows the customer, or that there is none, and its version', async () => {
    expect(await ask(answering(200, { customerId: '1', email: 'a@x' }))).toMatchObject({
      customer: '1',
      region: 'east',
      version: 'v',
      seen: {
        kind: 'present',
        etag: '"e"',
        values: { email: 'a@x', firstName: null, lastName: null, phoneNumber: null },
      },
    });
    expect(await ask(answering(404, {}))).toMatchObject({ seen: { kind: 'absent' } });
  });

  it('a connection that breaks off leaves it open; one that nobody takes does not', async () => {
    const broken = await ask((request) => void request.socket.destroy());
    expect(broken).toMatchObject({ outcome: 'unknown' });
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    const refused = await sendRequest({ method: 'GET', url: `http://127.0.0.1:${port}/` });
    expect(refused).toMatchObject({ outcome: 'refused' });
    expect(refused.status).toBeUndefined();
  });
});
