import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createApiClient, eachCustomer } from './index.ts';

let server: Server | undefined;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

async function serve(handler: Handler): Promise<string> {
  server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json');
    handler(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const path = { customerId: '4f1c9d0e-6a53-4b3e-9f0a-2f6b0c1d7e88' };

describe('the generated client', () => {
  it('returns the problem of an answer, and its response', async () => {
    const baseUrl = await serve((_request, response) => {
      response.writeHead(404).end('{"type":"/problems/customer-not-found"}');
    });
    const params = { path };
    const answer = await createApiClient({ baseUrl }).GET('/customers/{customerId}', { params });
    expect(answer.data).toBeUndefined();
    expect(answer.error?.type).toBe('/problems/customer-not-found');
    expect(answer.response.status).toBe(404);
  });

  it('asks for a token for every request', async () => {
    const seen: (string | undefined)[] = [];
    const baseUrl = await serve(({ headers }, response) => {
      seen.push(headers.authorization);
      response.end('{"items":[]}');
    });
    let asked = 0;
    const api = createApiClient({ baseUrl, token: () => `token-${(asked += 1)}` });
    await api.GET('/customers');
    await api.GET('/customers');
    expect(seen).toEqual(['Bearer token-1', 'Bearer token-2']);
  });

  it('C3: takes lines as a text, of an export as of an import, with nothing but the defaults', async () => {
    const seen: { type: string | undefined; body: string }[] = [];
    const baseUrl = await serve((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.on('end', () => {
        seen.push({ type: request.headers['content-type'], body });
        response.setHeader('content-type', 'application/x-ndjson');
        response.end(request.url === '/customers/import' ? '{"failed":0}\n' : '{"a":1}\n{"a":2}\n');
      });
    });
    const api = createApiClient({ baseUrl });
    const all = await api.GET('/customers/export');
    expect(all.data).toBe('{"a":1}\n{"a":2}\n');
    const report = await api.POST('/customers/import', { body: '{"email":"a@b"}\n' });
    expect(report.data).toBe('{"failed":0}\n');
    expect(seen.at(-1)).toEqual({ type: 'application/x-ndjson', body: '{"email":"a@b"}\n' });
    const stream = await api.GET('/customers/export', { parseAs: 'stream' });
    expect(await new Response(stream.data).text()).toBe('{"a":1}\n{"a":2}\n');
  });

  it('rejects when the answer takes too long', async () => {
    const baseUrl = await serve(() => undefined);
    const asked = createApiClient({ baseUrl, timeoutMs: 50 }).GET('/customers');
    await expect(asked).rejects.toThrow(DOMException);
  });
});

describe('all customers', () => {
  it('are read page by page, to the end', async () => {
    const urls: (string | undefined)[] = [];
    const baseUrl = await serve(({ url }, response) => {
      urls.push(url);
      const page = url?.includes('cursor') === true ? ['c'] : ['a', 'b'];
      const items = page.map((customerId) => ({ customerId }));
      response.end(JSON.stringify(page.length === 1 ? { items } : { items, nextCursor: 'x&y' }));
    });
    const found: string[] = [];
    for await (const { customerId } of eachCustomer(createApiClient({ baseUrl }), 2)) {
      found.push(customerId);
    }
    expect(found).toEqual(['a', 'b', 'c']);
    expect(urls).toEqual(['/customers?limit=2', '/customers?limit=2&cursor=x%26y']);
  });

  it('are not taken for fewer when a page fails', async () => {
    const baseUrl = await serve((_request, response) => {
      response.writeHead(503).end('{"type":"/problems/overloaded"}');
    });
    const reading = eachCustomer(createApiClient({ baseUrl })).next();
    await expect(reading).rejects.toThrow('503 /problems/overloaded');
  });
});
