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

/** Everything that a server says to these bytes until it hangs up, or has said `until`. */
async function exchange(url: string, bytes: string, until?: RegExp): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write(bytes);
  let said = '';
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    said += chunk.toString('latin1');
    if (until?.test(said) === true) break;
  }
  socket.destroy();
  return said;
}

describe('G2: what a client may send to a proxy', () => {
  it.each([
    ['http://customers.example:81/a?b=1', '/a?b=1', 'customers.example:81'],
    ['HTTP://customers.example', '/', 'customers.example'],
    ['https://customers.example?x', '/?x', 'customers.example'],
  ])('is a whole URL: %s', async (target, path, host) => {
    const east = await startEndpoint('east');
    const app = await startApp([east], ONE_PROBE);
    const head = `GET ${target} HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n`;
    expect(await exchange(app.url, head)).toContain('200 OK');
    expect(east.requests).toHaveLength(1);
    expect(east.requests[0]).toMatchObject({ url: path, headers: { host } });
  });

  it.each([
    ['two hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n'],
    ['the same host twice', 'GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n'],
    ['no host', 'GET / HTTP/1.1\r\n'],
    ['an empty host', 'GET / HTTP/1.1\r\nHost:\r\n'],
    ['a host that is none', 'GET / HTTP/1.1\r\nHost: a b\r\n'],
    ['a host with a user', 'GET http://user@a/ HTTP/1.1\r\nHost: a\r\n'],
    ['two hosts and a whole URL', 'GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n'],
  ])('is not %s (RFC 9112, 3.2)', async (_, head) => {
    const east = await startEndpoint('east');
    const app = await startApp([east], ONE_PROBE);
    expect(await exchange(app.url, `${head}Connection: close\r\n\r\n`)).toMatch(/^HTTP\/1.1 400 /);
    expect(east.requests).toEqual([]);
  });

  it('is an Upgrade that is passed over: the connection is closed, and nothing waits behind it', async () => {
    const east = await startEndpoint('east');
    const app = await startApp([east], ONE_PROBE);
    const upgrade = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n';
    const both = `GET /a HTTP/1.1\r\nHost: a\r\n${upgrade}\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n`;
    // It ends by itself: what is not answered is seen to be not answered.
    const said = await exchange(app.url, both);
    expect(said).toMatch(/^HTTP\/1.1 200 OK[^]*connection: close/i);
    expect(east.requests.map(({ url }) => url)).toEqual(['/a']);
    expect(east.requests[0]?.headers).not.toHaveProperty('http2-settings');
  });
});

describe('G1: the switches of the stand-in', () => {
  const disable = '/_traffic-manager/endpoints/east/disable';

  it.each([
    [{ origin: 'http://evil.example' }],
    [{ origin: 'null' }],
    [{ 'sec-fetch-site': 'cross-site' }],
    [{ 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors' }],
    [{ host: 'evil.example' }],
    [{ host: '127.0.0.1.evil.example:80', origin: 'http://127.0.0.1.evil.example:80' }],
  ])('are not for %j', async (headers) => {
    const app = await startApp([await startEndpoint('east')], ONE_PROBE);
    const response = await send(`${app.url}${disable}`, { method: 'POST', headers });
    expect(response.statusCode).toBe(403);
    for (const path of ['', '/', '/status', '/nothing']) {
      const page = await send(`${app.url}/_traffic-manager${path}`, { headers });
      expect(page.statusCode).toBe(403);
    }
    expect((await app.status()).endpoints[0]?.enabled).toBe(true);
  });

  it('nor for who names another host in a whole URL', async () => {
    const app = await startApp([await startEndpoint('east')], ONE_PROBE);
    const { port } = new URL(app.url);
    const head = `POST http://evil.example:${port}${disable} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`;
    expect(await exchange(app.url, head)).toMatch(/^HTTP\/1.1 403 /);
  });

  it('are for its own page, and for what is no browser', async () => {
    const app = await startApp([await startEndpoint('east')], ONE_PROBE);
    const own = { origin: app.url, 'sec-fetch-site': 'same-origin' };
    const response = await send(`${app.url}${disable}`, { method: 'POST', headers: own });
    expect(response.statusCode).toBe(200);
    expect((await app.switchEndpoint('east', 'enable')).status).toBe(200);
  });
});
