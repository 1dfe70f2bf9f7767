import { gzipSync } from 'node:zlib';
import { TerminalError, TransientError } from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import type { InjectOptions } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp } from '../testing/create-test-app.ts';
import { describeLostTables } from '../testing/describe-lost-tables.ts';

const URL = '/customers/4f1c9d0e-6a53-4b3e-9f0a-2f6b0c1d7e88';
const JSON_TYPE = { 'content-type': 'application/json' };
const SECRET = 'ada.secret@example.com';

let test: TestApp;

beforeAll(async () => {
  test = await createTestApp();
});

afterAll(async () => {
  await test.app.close();
});

const put = (payload: string | Buffer, headers: Record<string, string> = JSON_TYPE) =>
  ({ method: 'PUT', url: URL, payload, headers }) satisfies InjectOptions;

interface Case {
  readonly name: string;
  readonly request: InjectOptions;
  readonly status: number;
  readonly code: string;
  readonly fields?: readonly string[];
}

const CASES: readonly Case[] = [
  {
    name: 'JSON that breaks off',
    request: put('{"email":'),
    status: 400,
    code: 'malformed-json',
  },
  {
    name: 'bytes that are no UTF-8',
    request: put(Buffer.from('{"email":"\xff@example.com"}', 'latin1')),
    status: 400,
    code: 'malformed-json',
  },
  {
    name: 'a field that is named twice',
    request: put('{"email":"a@b","email":"c@d"}'),
    status: 400,
    code: 'malformed-json',
  },
  {
    name: 'a number beyond Int64',
    request: put('{"email":"a@b","firstName":92233720368547758079}'),
    status: 400,
    code: 'validation-failed',
    fields: ['/firstName'],
  },
  {
    name: 'lists in lists, as deep as they fit',
    request: put('['.repeat(32_000) + ']'.repeat(32_000)),
    status: 400,
    code: 'validation-failed',
    fields: [''],
  },
  {
    name: 'a body in another charset',
    request: put('{"email":"a@b"}', { 'content-type': 'application/json; charset="utf-16"' }),
    status: 415,
    code: 'unsupported-media-type',
  },
  {
    name: 'a body that is packed, and may be of any size unpacked',
    request: put(gzipSync(Buffer.alloc(1_000_000, ' ')), {
      ...JSON_TYPE,
      'content-encoding': 'gzip',
    }),
    status: 415,
    code: 'unsupported-media-type',
  },
  {
    name: 'a creation that depends on a version',
    request: {
      method: 'POST',
      url: '/customers',
      payload: '{"email":"a@b"}',
      headers: { ...JSON_TYPE, 'if-match': '"a"' },
    },
    status: 400,
    code: 'precondition-malformed',
    fields: ['/if-match'],
  },
  { name: 'no body', request: put(''), status: 400, code: 'validation-failed', fields: [''] },
  { name: 'a list', request: put('[]'), status: 400, code: 'validation-failed', fields: [''] },
  { name: 'null', request: put('null'), status: 400, code: 'validation-failed', fields: [''] },
  {
    name: 'no e-mail address',
    request: put('{}'),
    status: 400,
    code: 'validation-failed',
    fields: ['/email'],
  },
  {
    name: 'unknown fields, one of them with an awkward name',
    request: put('{"email":"a@b","customerId":"x","a/b~c":1}'),
    status: 400,
    code: 'validation-failed',
    fields: ['/a~1b~0c', '/customerId'],
  },
  {
    name: 'a field that would poison a prototype',
    request: put('{"email":"a@b","__proto__":{"x":1}}'),
    status: 400,
    code: 'validation-failed',
    fields: ['/__proto__'],
  },
  {
    name: 'wrong types, all of them at once',
    request: put('{"email":5,"firstName":true,"lastName":[],"phoneNumber":{}}'),
    status: 400,
    code: 'validation-failed',
    fields: ['/email', '/firstName', '/lastName', '/phoneNumber'],
  },
  {
    name: 'an e-mail address without an @',
    request: put(JSON.stringify({ email: 'nobody' })),
    status: 400,
    code: 'validation-failed',
    fields: ['/email'],
  },
  {
    name: 'a text that is too long',
    request: put(JSON.stringify({ email: SECRET, firstName: 'x'.repeat(201) })),
    status: 400,
    code: 'validation-failed',
    fields: ['/firstName'],
  },
  {
    name: 'one grapheme of too many code points',
    request: put(JSON.stringify({ email: SECRET, firstName: `e${'\u0301'.repeat(250)}` })),
    status: 400,
    code: 'validation-failed',
    fields: ['/firstName'],
  },
  {
    name: 'half a surrogate pair',
    request: put('{"email":"a@b","firstName":"\\ud800"}'),
    status: 400,
    code: 'validation-failed',
    fields: ['/firstName'],
  },
  {
    name: 'a NUL',
    request: put('{"email":"a\\u0000@b"}'),
    status: 400,
    code: 'validation-failed',
    fields: ['/email'],
  },
  {
    name: 'an id that is no GUID',
    request: { url: '/customers/42' },
    status: 400,
    code: 'validation-failed',
    fields: ['/customerId'],
  },
  {
    name: 'a path that is not well percent-encoded',
    request: { url: '/customers/%zz' },
    status: 400,
    code: 'malformed-request',
  },
  {
    name: 'an id that is far too long',
    request: { url: `/customers/${'a'.repeat(65)}` },
    status: 414,
    code: 'uri-too-long',
  },
  {
    name: 'a body of more than 64 KiB',
    request: put(JSON.stringify({ email: SECRET, firstName: 'x'.repeat(65_536) })),
    status: 413,
    code: 'body-too-large',
  },
  {
    name: 'a body of another type',
    request: put('email=a@b', { 'content-type': 'application/x-www-form-urlencoded' }),
    status: 415,
    code: 'unsupported-media-type',
  },
  {
    name: 'plain text',
    request: put('{"email":"a@b"}', { 'content-type': 'text/plain' }),
    status: 415,
    code: 'unsupported-media-type',
  },
  {
    name: 'a body of no type',
    request: put('{"email":"a@b"}', {}),
    status: 415,
    code: 'unsupported-media-type',
  },
  { name: 'an unknown path', request: { url: '/nothing' }, status: 404, code: 'route-not-found' },
  {
    name: 'an unknown path with a body that cannot be parsed',
    request: { method: 'POST', url: '/nothing', payload: '{', headers: JSON_TYPE },
    status: 404,
    code: 'route-not-found',
  },
];

describe('problems', () => {
  it.each(CASES)('$name: $status $code', async ({ request, status, code, fields }) => {
    const response = await test.app.inject(request);
    expect(response.statusCode).toBe(status);
    expect(response.headers['content-type']).toMatch(/^application\/problem\+json(;|$)/);
    expect(response.headers['x-tandem-region']).toBe('east');
    const problem = response.json();
    expect(problem).toMatchObject({
      type: `/problems/${code}`,
      title: expect.any(String),
      status,
      detail: expect.any(String),
      instance: response.headers['x-request-id'],
    });
    const named = problem.errors?.map((one: { field: string }) => one.field);
    expect(named === undefined ? undefined : [...new Set(named)]).toEqual(fields);
    expect(response.body).not.toContain(SECRET);
  });

  it('nothing of a refused body, path or query is logged', () => {
    const text = JSON.stringify(test.lines);
    expect(text).not.toContain(SECRET);
    expect(text).not.toContain('4f1c9d0e');
    expect(test.lines.filter((line) => line['level'] === 'error')).toEqual([]);
  });

  it.each(['UTF-8', '"utf-8"', 'utf8; a=b'])(
    'takes a body that says it is in %s',
    async (charset) => {
      const headers = { 'content-type': `application/json; charset=${charset}` };
      const response = await test.app.inject({
        ...put('{"email":"a@b"}', headers),
        url: '/customers/00000000-0000-4000-8000-000000000001',
      });
      expect(response.statusCode).toBeLessThan(300);
    },
  );

  it.each([
    ['POST', '/customers', 'application/json', undefined],
    ['PATCH', URL, 'application/merge-patch+json, application/json', true],
    ['POST', '/customers/import', 'application/x-ndjson', undefined],
  ] as const)('%s %s: 415 names what it takes', async (method, url, accept, isPatch) => {
    const headers = { 'content-type': 'application/xml' };
    const response = await test.app.inject({ method, url, headers, payload: '{}' });
    expect(response.statusCode).toBe(415);
    expect(response.headers['accept']).toBe(accept);
    expect(response.headers['accept-patch']).toBe(isPatch ? accept : undefined);
    expect(response.json().detail).toContain(accept);
  });

  it('C6: lets no shared cache keep what is answered, and no proxy change its ETag', async () => {
    const response = await test.app.inject({ url: '/customers' });
    expect(response.headers['cache-control']).toBe('private, no-cache, no-transform');
  });

  it('the body limit is named', async () => {
    const response = await test.app.inject(put('x'.repeat(65_537)));
    expect(response.json().detail).toContain('65536 bytes');
  });

  it('names at most eight fields, and none of them at any length', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 200 }, (_, index) => [`${index}${'n'.repeat(200)}`, 1]),
    );
    const response = await test.app.inject(put(JSON.stringify({ email: 'a@b', ...many })));
    expect(response.json().errors).toHaveLength(8);
    expect(response.body.length).toBeLessThan(2_000);
  });

  it.each([
    ['DELETE', '/customers', 'GET, HEAD, POST'],
    ['POST', URL, 'DELETE, GET, HEAD, PATCH, PUT'],
    ['OPTIONS', URL, 'DELETE, GET, HEAD, PATCH, PUT'],
    ['GET', '/customers/batch', 'POST'],
    ['OPTIONS', '/customers/search', 'POST'],
    ['DELETE', '/customers/import', 'POST'],
    ['POST', '/customers/export', 'GET, HEAD'],
    ['DELETE', '/customers/export', 'GET, HEAD'],
    ['POST', '/health/live', 'GET, HEAD'],
    ['PUT', '/openapi.json', 'GET, HEAD'],
  ] as const)('%s %s: 405 with Allow', async (method, url, allow) => {
    const response = await test.app.inject({ method, url });
    expect(response.statusCode).toBe(405);
    expect(response.headers['allow']).toBe(allow);
    expect(response.json().type).toBe('/problems/method-not-allowed');
  });
});

describe('errors of the table', () => {
  const failing = async (error: Error) => {
    const app = await createTestApp({
      table: {
        put: async () => {
          throw error;
        },
      },
    });
    return { ...app, response: await app.app.inject(put('{"email":"a@b"}')) };
  };

  it.each([
    ['TABLE_THROTTLED', 2_500, '3'],
    ['TABLE_UNAVAILABLE', undefined, '1'],
    ['TABLE_OUTCOME_UNKNOWN', undefined, '1'],
    ['WRITE_CONTENDED', undefined, '1'],
  ] as const)('%s: 503 with Retry-After', async (code, retryAfterMs, expected) => {
    const options = retryAfterMs === undefined ? {} : { retryAfterMs };
    const { response } = await failing(new TransientError(code, 'account east01', options));
    expect(response.statusCode).toBe(503);
    expect(response.headers['retry-after']).toBe(expected);
    expect(response.json().type).toBe('/problems/service-unavailable');
    expect(response.body).not.toContain('east01');
  });

  it.each([
    ['TABLE_LIMIT_EXCEEDED', 422, 'limit-exceeded'],
    ['ENTITY_INVALID', 422, 'entity-invalid'],
  ] as const)('%s: %d %s', async (code, status, problem) => {
    const { response } = await failing(new TerminalError(code, 'Field "email" is too long.'));
    expect(response.statusCode).toBe(status);
    expect(response.json()).toMatchObject({
      type: `/problems/${problem}`,
      detail: 'Field "email" is too long.',
    });
  });

  it.each([
    new TerminalError('TABLE_REQUEST_INVALID', 'account east01'),
    new Error('Broken invariant: account east01'),
  ])(
    'anything else: 500 without internals, logged once under the id of the answer',
    async (error) => {
      const { response, lines } = await failing(error);
      expect(response.statusCode).toBe(500);
      expect(response.json().type).toBe('/problems/internal-error');
      expect(response.body).not.toContain('east01');
      const errors = lines.filter((line) => line['level'] === 'error');
      expect(errors).toMatchObject([
        { event: 'request-failed', requestId: response.json().instance, error: expect.anything() },
      ]);
    },
  );
});

const gone = createMemoryTableStore();
const refuse = async (): Promise<never> => {
  throw new TerminalError('TABLE_FORBIDDEN', 'account east01');
};

describeLostTables('a store in memory', {
  gone: () => gone,
  refusing: () => ({ ...gone, get: refuse, query: refuse, commit: refuse }),
});
