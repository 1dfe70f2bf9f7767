import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { describe, expect, it, vi } from 'vitest';
import { startApp } from './testing/start-app.ts';
import { startEndpoint } from './testing/start-endpoint.ts';

const MEBIBYTE = 1024 * 1024;
/** No probe interferes with these tests after the first. */
const ONE_PROBE = { intervalMs: 600_000 };

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** A request with exactly these headers, which fetch would not allow. */
async function send(
  url: string,
  options: { method?: string; headers?: Record<string, string>; body?: string | Buffer } = {},
): Promise<IncomingMessage> {
  const { body, ...rest } = options;
  const outgoing = httpRequest(url, { ...rest, agent: false });
  outgoing.end(body);
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  return response;
}

describe('a forwarded request', () => {
  it('arrives with its method, path, query and headers, and the answer comes back whole', async () => {
    const east = await startEndpoint('east', (_request, response) => {
      response
        .writeHead(418, { etag: '"7"', 'set-cookie': ['a=1', 'b=2'], location: '/elsewhere' })
        .end('short and stout');
    });
    const app = await startApp([east], ONE_PROBE);
    const response = await send(`${app.url}/customers/a%2Fb%20c?x=1&y=%2F%3F&x=2?`, {
      method: 'PATCH',
      headers: { 'if-match': 'W/"3"', host: 'customers.example', 'x-forwarded-for': '192.0.2.1' },
      body: '{}',
    });
    const [request] = east.requests;
    expect(request?.method).toBe('PATCH');
    expect(request?.url).toBe('/customers/a%2Fb%20c?x=1&y=%2F%3F&x=2?');
    expect(request?.headers).toMatchObject({
      'if-match': 'W/"3"',
      host: 'customers.example',
      'x-forwarded-for': '192.0.2.1, 127.0.0.1',
      'x-forwarded-host': 'customers.example',
      'x-forwarded-proto': 'http',
    });
    expect(response.statusCode).toBe(418);
    expect(response.headers).toMatchObject({
      etag: '"7"',
      'set-cookie': ['a=1', 'b=2'],
      location: '/elsewhere',
      'x-tandem-endpoint': 'east',
    });
    expect(await text(response)).toBe('short and stout');
  });

  it.each(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'])(
    'may be a %s',
    async (method) => {
      const east = await startEndpoint('east');
      const app = await startApp([east], ONE_PROBE);
      const response = await send(`${app.url}/customers`, { method });
      expect(response.statusCode).toBe(200);
      expect(await text(response)).toBe(method === 'HEAD' ? '' : 'east');
      expect(east.requests.map((request) => request.method)).toEqual([method]);
    },
  );

  it('may have a long path', async () => {
    const east = await startEndpoint('east');
    const app = await startApp([east], ONE_PROBE);
    const path = `/customers/${'x'.repeat(4000)}`;
    expect((await fetch(`${app.url}${path}`)).status).toBe(200);
    expect(east.requests[0]?.url).toBe(path);
  });

  it.each(['application/json', 'text/plain', 'application/octet-stream', ''])(
    'of the type "%s" carries 1 MiB up and down unchanged',
    async (type) => {
      const east = await startEndpoint('east', (request, response) => request.pipe(response));
      const app = await startApp([east], ONE_PROBE);
      // Neither JSON nor text: the proxy must not look into it.
      const body = randomBytes(MEBIBYTE + 1);
      const response = await send(`${app.url}/echo`, {
        method: 'PUT',
        headers: type === '' ? {} : { 'content-type': type },
        body,
      });
      expect(digest(await buffer(response))).toBe(digest(body));
    },
  );

  it('streams: the first part of a body arrives before the last is sent', async () => {
    const east = await startEndpoint('east', (request, response) => request.pipe(response));
    const app = await startApp([east], ONE_PROBE);
    const outgoing = httpRequest(`${app.url}/echo`, { method: 'POST', agent: false });
    outgoing.write('first');
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    const [chunk] = (await once(response, 'data')) as [Buffer];
    expect(chunk.toString()).toBe('first');
    outgoing.end('last');
    expect(await text(response)).toBe('last');
  });

  it('may ask for 100-continue, as curl does for large bodies', async () => {
    const east = await startEndpoint('east', (request, response) => request.pipe(response));
    const app = await startApp([east], ONE_PROBE);
    const response = await send(`${app.url}/echo`, {
      method: 'PUT',
      headers: { expect: '100-continue', 'content-length': '4' },
      body: 'body',
    });
    expect(response.statusCode).toBe(200);
    expect(await text(response)).toBe('body');
  });

  it('is sent once, also when it is a GET that is answered 503', async () => {
    const east = await startEndpoint('east', (_request, response) => {
      response.writeHead(503, { 'retry-after': '0' }).end('busy');
    });
    const app = await startApp([east], ONE_PROBE);
    const response = await fetch(`${app.url}/customers`);
    expect(response.status).toBe(503);
    expect(await response.text()).toBe('busy');
    expect(east.requests).toHaveLength(1);
  });
});

describe('an endpoint that fails', () => {
  it('is answered for with 502 and its name while it still counts as healthy', async () => {
    const [east, west] = [await startEndpoint('east'), await startEndpoint('west')];
    const app = await startApp([east, west], ONE_PROBE);
    await app.untilState('east', 'online');
    await east.kill();
    const response = await fetch(`${app.url}/customers`, { method: 'POST', body: '{}' });
    expect(response.status).toBe(502);
    expect(response.headers.get('content-type')).toContain('application/problem+json');
    expect(response.headers.get('x-tandem-endpoint')).toBe('east');
    expect(await response.json()).toEqual({
      type: 'about:blank',
      title: 'Bad Gateway',
      status: 502,
      code: 'ENDPOINT_UNREACHABLE',
      endpoint: 'east',
      detail: `The endpoint east (${east.url}) did not answer: ECONNREFUSED. The request was not repeated.`,
    });
    expect(west.requests).toHaveLength(0);
  });

  it.each(['GET', 'PUT'])('by a reset in a %s is answered for with 502, once', async (method) => {
    const east = await startEndpoint('east', (request) => request.socket.resetAndDestroy());
    const app = await startApp([east], ONE_PROBE);
    const body = method === 'GET' ? {} : { body: '{}' };
    const response = await fetch(`${app.url}/customers`, { method, ...body });
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ endpoint: 'east' });
    expect(east.requests).toHaveLength(1);
  });

  it('in the middle of an answer breaks that answer off instead of ending it', async () => {
    const east = await startEndpoint('east', (_request, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('half');
    });
    const app = await startApp([east], ONE_PROBE);
    const response = await fetch(`${app.url}/customers`);
    expect(response.status).toBe(200);
    await east.kill();
    await expect(response.text()).rejects.toThrow('terminated');
    expect((await fetch(`${app.url}/_traffic-manager/status`)).status).toBe(200);
  });
});

describe('a client that hangs up', () => {
  it('in the middle of an answer ends the request to the endpoint and nothing else', async () => {
    const closed = vi.fn<() => void>();
    const east = await startEndpoint('east', (request, response) => {
      if (request.url === '/fine') {
        response.end('fine');
        return;
      }
      response.on('close', closed);
      response.write(randomBytes(MEBIBYTE));
    });
    const app = await startApp([east], ONE_PROBE);
    const response = await send(`${app.url}/endless`);
    await once(response, 'data');
    response.destroy();
    await expect.poll(() => closed).toHaveBeenCalledOnce();
    expect(await (await fetch(`${app.url}/fine`)).text()).toBe('fine');
  });

  it('in the middle of an upload ends the request to the endpoint and nothing else', async () => {
    const aborted = vi.fn<() => void>();
    const east = await startEndpoint('east', (request, response) => {
      if (request.url === '/fine') {
        response.end('fine');
        return;
      }
      request.on('error', aborted).resume();
    });
    const app = await startApp([east], ONE_PROBE);
    const socket = connect(Number(new URL(app.url).port), '127.0.0.1');
    socket.write('PUT /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nhalf');
    await expect.poll(() => east.requests).toHaveLength(1);
    socket.resetAndDestroy();
    await expect.poll(() => aborted).toHaveBeenCalledOnce();
    expect(await (await fetch(`${app.url}/fine`)).text()).toBe('fine');
  });
});
