import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp } from './testing/create-test-app.ts';

const PATH = '/customers/4f1c9d0e-6a53-4b3e-9f0a-2f6b0c1d7e88';
const TRACE = '0af7651916cd43dd8448eb211c80319c';

let test: TestApp;

beforeAll(async () => {
  test = await createTestApp();
});

afterAll(async () => {
  await test.app.close();
});

describe('every answer', () => {
  it.each(['/health/live', '/customers', '/nothing', '/openapi.json', '/docs', '/customers/%zz'])(
    '%s names the region and the request',
    async (url) => {
      const { headers } = await test.app.inject({ url });
      expect(headers['x-tandem-region']).toBe('east');
      expect(headers['x-request-id']).toMatch(/^request-\d+$/);
    },
  );

  it('G6: has an id of its own, whatever trace or id the request brings', async () => {
    const headers = { traceparent: `00-${TRACE}-b7ad6b7169203331-01`, 'x-request-id': TRACE };
    const [first, second] = [
      await test.app.inject({ url: '/nothing', headers }),
      await test.app.inject({ url: '/nothing', headers }),
    ];
    expect(first.headers['x-request-id']).toMatch(/^request-\d+$/);
    expect(second.headers['x-request-id']).not.toBe(first.headers['x-request-id']);
    expect(first.json().instance).toBe(first.headers['x-request-id']);
    const line = test.lines.find(({ requestId }) => requestId === first.headers['x-request-id']);
    expect(line).toMatchObject({ event: 'request-finished', traceId: TRACE });
  });
});

describe('the request log', () => {
  it('has one line for a request, with its route and without path, query and body', async () => {
    const { app, lines } = await createTestApp();
    await app.inject({ method: 'PUT', url: PATH, payload: { email: 'ada@example.com' } });
    await app.inject({ url: '/customers?limit=7' });
    await app.inject({ url: '/nothing?secret=1' });
    const finished = lines.filter((line) => line['event'] === 'request-finished');
    expect(finished).toMatchObject([
      { level: 'info', method: 'PUT', route: '/customers/:customerId', status: 201 },
      { level: 'info', method: 'GET', route: '/customers', status: 200 },
      { level: 'info', method: 'GET', route: 'unknown', status: 404 },
    ]);
    const text = JSON.stringify(lines);
    for (const value of ['4f1c9d0e', 'ada@', 'limit=7', 'secret', '/nothing']) {
      expect(text).not.toContain(value);
    }
    await app.close();
  });
});

describe('whatever is sent', () => {
  const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
  const TYPES = ['application/json', 'application/merge-patch+json', 'text/plain', 'a', '*/*;'];
  const nameArbitrary = fc.oneof(
    fc.constantFrom('email', 'firstName', 'lastName', 'phoneNumber', 'customerId', '__proto__'),
    fc.string({ unit: 'binary', maxLength: 10 }),
  );
  const textArbitrary = fc.oneof(
    fc.constantFrom('a@b', '\ud800', '\0', '\uffff', '', 'x'.repeat(255), '1@2\u0301'),
    fc.string({ unit: 'binary' }),
  );
  const bodyArbitrary = fc.oneof(
    fc.dictionary(nameArbitrary, fc.oneof(textArbitrary, fc.jsonValue())).map(toJson),
    fc.jsonValue().map(toJson),
    fc.string({ unit: 'binary' }),
    fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes)),
    fc.constantFrom('['.repeat(60_000), '{"a":'.repeat(12_000), '1e999', '"\\ud800"'),
  );

  it('is never answered with a 5xx', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          method: fc.constantFrom(...METHODS),
          url: fc.constantFrom('/customers', PATH),
          payload: bodyArbitrary,
          type: fc.constantFrom(...TYPES),
        }),
        async ({ type, ...request }) => {
          const headers = { 'content-type': type };
          const response = await test.app.inject({ ...request, headers });
          expect(response.statusCode).toBeLessThan(500);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('in a path, a query or a precondition is never answered with a 5xx', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'grapheme-ascii', maxLength: 80 }),
      fc.string({ unit: 'binary-ascii', maxLength: 10 }).map(encodeURIComponent),
      fc.constantFrom('%00', '%', '%ff', '..', '*', '"'),
    );
    await fc.assert(
      fc.asyncProperty(text, fc.constantFrom(...METHODS), async (part, method) => {
        const header = part.replaceAll(/[^\x20-\x7e]/g, '');
        const headers = { 'if-match': header, 'if-none-match': header, traceparent: header };
        const urls = [`/customers/${part}`, `/customers?cursor=${part}`, `/customers?${part}`];
        const parsable = [...urls, `/${part}`, PATH].filter((url) =>
          URL.canParse(url, 'http://localhost'),
        );
        for (const url of parsable) {
          const response = await test.app.inject({ method, url, headers });
          expect(response.statusCode).toBeLessThan(500);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('is kept and answered as it is, when it is accepted', async () => {
    const field = fc.option(fc.string({ unit: 'binary', maxLength: 200 }));
    await fc.assert(
      fc.asyncProperty(field, field, async (firstName, lastName) => {
        const payload = toJson({ email: 'a@b', firstName, lastName });
        const headers = { 'content-type': 'application/json' };
        const written = await test.app.inject({ method: 'PUT', url: PATH, payload, headers });
        const isFit = [firstName, lastName].every((text) => text?.includes('\0') !== true);
        expect(written.statusCode === 400).toBe(!isFit);
        const read = (await test.app.inject({ url: PATH })).json();
        expect(isFit ? { ...read } : { firstName, lastName }).toMatchObject({
          firstName,
          lastName,
        });
      }),
    );
  });
});

function toJson(value: unknown): string {
  return JSON.stringify(value);
}

describe('G1: a page of another site', () => {
  const PATHS = ['/customers', '/health', '/docs', '/openapi.json'];

  it.each([
    [{ host: 'evil.example' }],
    [{ host: '127.0.0.1.evil.example:7710', origin: 'http://127.0.0.1.evil.example:7710' }],
    [{ origin: 'http://evil.example' }],
    [{ 'sec-fetch-site': 'cross-site' }],
  ])('reads and writes nothing: %j', async (headers) => {
    const { app } = await createTestApp();
    for (const url of PATHS) {
      const response = await app.inject({ url, headers });
      expect(response.statusCode).toBe(403);
      expect(response.json()).toMatchObject({ type: '/problems/site-refused' });
    }
    const url = '/customers/4f1c9d0e-6a53-4b3e-9f0a-2f6b0c1d7e88';
    const payload = { email: 'a@b' };
    expect((await app.inject({ method: 'PUT', url, headers, payload })).statusCode).toBe(403);
    expect((await app.inject({ url })).statusCode).toBe(404);
    await app.close();
  });

  it('is told from the page of the documentation, and from a link to it', async () => {
    const { app } = await createTestApp();
    const own = {
      host: 'localhost:80',
      origin: 'http://localhost',
      'sec-fetch-site': 'same-origin',
    };
    expect((await app.inject({ url: '/customers', headers: own })).statusCode).toBe(200);
    const link = {
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
    };
    expect((await app.inject({ url: '/health', headers: link })).statusCode).toBe(200);
    await app.close();
  });
});
