import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp } from '../testing/create-test-app.ts';

const ADA = { email: 'ada@example.com', firstName: 'Ada', lastName: 'Lovelace' };
const ID = '4F1C9D0E-6A53-4B3E-9F0A-2F6B0C1D7E88';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

let test: TestApp;

beforeAll(async () => {
  test = await createTestApp();
});

afterAll(async () => {
  await test.app.close();
});

const etagOf = (response: { headers: Record<string, unknown> }): string =>
  String(response.headers['etag']);

describe('POST /customers', () => {
  it('creates a customer under a new id and says where it is', async () => {
    const response = await test.app.inject({ method: 'POST', url: '/customers', payload: ADA });
    expect(response.statusCode).toBe(201);
    const customer = response.json();
    expect(customer).toEqual({
      customerId: expect.stringMatching(UUID),
      ...ADA,
      phoneNumber: null,
    });
    expect(response.headers['location']).toBe(`/customers/${customer.customerId}`);
    expect(etagOf(response)).toMatch(/^"[0-9a-f]{12}-[0-9a-f]{4}-east-test"$/);
    const read = await test.app.inject({ url: String(response.headers['location']) });
    expect(read.json()).toEqual(customer);
    expect(etagOf(read)).toBe(etagOf(response));
  });
});

describe('PUT /customers/:customerId', () => {
  it('creates with 201, replaces with 200, and keeps the id in lower case', async () => {
    const created = await test.app.inject({ method: 'PUT', url: `/customers/${ID}`, payload: ADA });
    expect(created.statusCode).toBe(201);
    expect(created.json().customerId).toBe(ID.toLowerCase());
    expect(created.headers['location']).toBe(`/customers/${ID.toLowerCase()}`);
    const replaced = await test.app.inject({
      method: 'PUT',
      url: `/customers/${ID.toLowerCase()}`,
      payload: { email: 'ada@example.org' },
    });
    expect(replaced.statusCode).toBe(200);
    expect(replaced.headers['location']).toBeUndefined();
    expect(replaced.json()).toEqual({
      customerId: ID.toLowerCase(),
      email: 'ada@example.org',
      firstName: null,
      lastName: null,
      phoneNumber: null,
    });
    expect(etagOf(replaced)).not.toBe(etagOf(created));
  });

  it('refuses a merge patch, which it would otherwise take for a whole customer', async () => {
    const response = await test.app.inject({
      method: 'PUT',
      url: `/customers/${ID}`,
      payload: JSON.stringify(ADA),
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    expect(response.statusCode).toBe(415);
  });
});

describe('PATCH /customers/:customerId', () => {
  const url = '/customers/00000000-0000-4000-8000-000000000010';

  it.each([
    'application/merge-patch+json',
    'application/json',
    'application/json; charset=utf-8',
    'text/plain;charset=UTF-8',
    undefined,
  ])('C3: changes what is named, removes what is null and leaves the rest, as %s', async (type) => {
    await test.app.inject({ method: 'PUT', url, payload: { ...ADA, phoneNumber: '1' } });
    const response = await test.app.inject({
      method: 'PATCH',
      url,
      payload: JSON.stringify({ phoneNumber: '2', lastName: null }),
      headers: type === undefined ? {} : { 'content-type': type },
    });
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({
      email: ADA.email,
      firstName: 'Ada',
      lastName: null,
      phoneNumber: '2',
    });
    expect(etagOf(await test.app.inject({ url }))).toBe(etagOf(response));
  });

  it.each(['text/plain; charset=latin1', 'text/html', 'application/xml'])(
    'C3: refuses what is named and is something else: %s',
    async (type) => {
      const headers = { 'content-type': type };
      const response = await test.app.inject({ method: 'PATCH', url, payload: '{}', headers });
      expect(response.statusCode).toBe(415);
    },
  );

  it('does not remove the e-mail address', async () => {
    const response = await test.app.inject({ method: 'PATCH', url, payload: { email: null } });
    expect(response.statusCode).toBe(400);
    expect(response.json().errors).toEqual([
      { in: 'body', field: '/email', rule: 'type', message: 'must be string' },
    ]);
  });

  it('answers 404 for a customer that is not there, and creates none', async () => {
    const missing = '/customers/00000000-0000-4000-8000-000000000011';
    const response = await test.app.inject({
      method: 'PATCH',
      url: missing,
      payload: { firstName: 'A' },
    });
    expect(response.statusCode).toBe(404);
    expect(response.json().type).toBe('/problems/customer-not-found');
    expect((await test.app.inject({ url: missing })).statusCode).toBe(404);
  });

  it('answers 412 with the current ETag to a stale If-Match', async () => {
    const current = await test.app.inject({ url });
    const response = await test.app.inject({
      method: 'PATCH',
      url,
      payload: { firstName: 'B' },
      headers: { 'if-match': '"stale"' },
    });
    expect(response.statusCode).toBe(412);
    expect(etagOf(response)).toBe(etagOf(current));
  });
});

describe('GET and HEAD /customers/:customerId', () => {
  const url = '/customers/00000000-0000-4000-8000-000000000020';
  let etag = '';

  beforeAll(async () => {
    etag = etagOf(await test.app.inject({ method: 'PUT', url, payload: ADA }));
  });

  it.each(['GET', 'HEAD'] as const)('%s answers with the version', async (method) => {
    const response = await test.app.inject({ method, url });
    expect(response.statusCode).toBe(200);
    expect(etagOf(response)).toBe(etag);
    expect(response.body === '').toBe(method === 'HEAD');
  });

  it('HEAD announces the length that GET has, and none other (RFC 9110, 8.6)', async () => {
    const payload = { ...ADA, firstName: 'Ädä "\\" 😀' };
    const other = '/customers/00000000-0000-4000-8000-000000000022';
    await test.app.inject({ method: 'PUT', url: other, payload });
    const get = await test.app.inject(other);
    const head = await test.app.inject({ method: 'HEAD', url: other });
    expect(get.rawPayload.length).toBeGreaterThan(100);
    expect(head.headers['content-length']).toBe(String(get.rawPayload.length));
  });

  it.each([
    ['GET', (tag: string) => tag],
    ['HEAD', (tag: string) => tag],
    ['GET', (tag: string) => `W/${tag}`],
    ['GET', (tag: string) => `"x" , ${tag}`],
    ['GET', () => '*'],
  ] as const)('%s answers 304 without a body when it is known', async (method, header) => {
    const headers = { 'if-none-match': header(etag) };
    const response = await test.app.inject({ method, url, headers });
    expect(response.statusCode).toBe(304);
    expect(etagOf(response)).toBe(etag);
    expect(response.body).toBe('');
  });

  it('answers 200 when another version is known, and 412 when another is asked for', async () => {
    const other = await test.app.inject({ url, headers: { 'if-none-match': '"other"' } });
    expect(other.statusCode).toBe(200);
    const failed = await test.app.inject({ url, headers: { 'if-match': '"other"' } });
    expect(failed.statusCode).toBe(412);
    const malformed = await test.app.inject({ url, headers: { 'if-none-match': 'other' } });
    expect(malformed.statusCode).toBe(400);
  });

  it.each(['GET', 'HEAD'] as const)('%s answers 404 for what is not there', async (method) => {
    const missing = '/customers/00000000-0000-4000-8000-000000000021';
    expect((await test.app.inject({ method, url: missing })).statusCode).toBe(404);
  });
});

describe('DELETE /customers/:customerId', () => {
  const url = '/customers/00000000-0000-4000-8000-000000000030';

  it('answers 204, and 404 once it is gone; a later PUT creates it again', async () => {
    await test.app.inject({ method: 'PUT', url, payload: ADA });
    const deleted = await test.app.inject({ method: 'DELETE', url });
    expect(deleted.statusCode).toBe(204);
    expect(deleted.body).toBe('');
    expect((await test.app.inject({ url })).statusCode).toBe(404);
    expect((await test.app.inject({ method: 'DELETE', url })).statusCode).toBe(404);
    expect((await test.app.inject({ method: 'PUT', url, payload: ADA })).statusCode).toBe(201);
  });

  it('deletes only the version that If-Match names', async () => {
    await test.app.inject({ method: 'PUT', url, payload: ADA });
    const del = (ifMatch: string) =>
      test.app.inject({ method: 'DELETE', url, headers: { 'if-match': ifMatch } });
    expect((await del('"stale"')).statusCode).toBe(412);
    expect((await del(etagOf(await test.app.inject({ url })))).statusCode).toBe(204);
    expect((await del('*')).statusCode).toBe(412);
  });

  it.each([
    'application/json',
    'application/x-www-form-urlencoded',
    'application/octet-stream',
    'text/plain; charset=iso-8859-1',
    'multipart/form-data; boundary=x',
    'rubbish',
  ])('C5: takes a request that announces %s and sends none', async (type) => {
    for (const length of [{}, { 'content-length': '0' }]) {
      await test.app.inject({ method: 'PUT', url, payload: ADA });
      const headers = { 'content-type': type, ...length };
      const response = await test.app.inject({ method: 'DELETE', url, headers });
      expect(response.statusCode).toBe(204);
    }
  });

  it.each([
    ['text/plain', 'x', 415],
    ['application/json; charset=utf-16', '{}', 415],
    ['application/json', '{', 400],
  ])('refuses a body of %s: %s', async (type, payload, status) => {
    const headers = { 'content-type': type };
    const response = await test.app.inject({ method: 'DELETE', url, headers, payload });
    expect(response.statusCode).toBe(status);
  });
});
