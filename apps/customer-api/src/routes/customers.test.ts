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

  it('refuses to create over a customer that is there when If-None-Match is *', async () => {
    const url = '/customers/00000000-0000-4000-8000-000000000001';
    const headers = { 'if-none-match': '*' };
    const first = await test.app.inject({ method: 'PUT', url, payload: ADA, headers });
    expect(first.statusCode).toBe(201);
    const second = await test.app.inject({ method: 'PUT', url, payload: ADA, headers });
    expect(second.statusCode).toBe(412);
    expect(second.json().type).toBe('/problems/precondition-failed');
    expect(etagOf(second)).toBe(etagOf(first));
  });

  it('writes only over the version that If-Match names', async () => {
    const url = '/customers/00000000-0000-4000-8000-000000000002';
    const put = (ifMatch: string) =>
      test.app.inject({ method: 'PUT', url, payload: ADA, headers: { 'if-match': ifMatch } });
    expect((await put('*')).statusCode).toBe(412);
    const created = await test.app.inject({ method: 'PUT', url, payload: ADA });
    const payload = { ...ADA, lastName: 'King' };
    const headers = { 'if-match': `"other", ${etagOf(created)}` };
    const replaced = await test.app.inject({ method: 'PUT', url, payload, headers });
    expect(replaced.statusCode).toBe(200);
    const stale = await put(etagOf(created));
    expect(stale.statusCode).toBe(412);
    expect(etagOf(stale)).toBe(etagOf(replaced));
    expect((await put(`W/${etagOf(replaced)}`)).statusCode).toBe(412);
    expect((await put('*')).statusCode).toBe(200);
  });

  it('says without an ETag that there is nothing for If-Match to match', async () => {
    const response = await test.app.inject({
      method: 'PUT',
      url: '/customers/00000000-0000-4000-8000-000000000003',
      payload: ADA,
      headers: { 'if-match': '"a"' },
    });
    expect(response.statusCode).toBe(412);
    expect(response.headers['etag']).toBeUndefined();
  });

  it.each([
    ['if-match', 'not-quoted'],
    ['if-match', '"open'],
    ['if-match', '"a" "b"'],
    ['if-match', ''],
    ['if-match', 'w/"a"'],
    ['if-none-match', '"a"'],
    ['if-none-match', '*, "a"'],
  ])('refuses %s: %s as malformed, and writes nothing', async (name, value) => {
    const url = '/customers/00000000-0000-4000-8000-000000000004';
    const headers = { [name]: value };
    const response = await test.app.inject({ method: 'PUT', url, payload: ADA, headers });
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({
      type: '/problems/precondition-malformed',
      errors: [{ in: 'header', field: `/${name}` }],
    });
    expect((await test.app.inject({ url })).statusCode).toBe(404);
  });

  it('refuses If-Match together with If-None-Match', async () => {
    const response = await test.app.inject({
      method: 'PUT',
      url: `/customers/${ID}`,
      payload: ADA,
      headers: { 'if-match': '*', 'if-none-match': '*' },
    });
    expect(response.statusCode).toBe(400);
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

describe('C8: a write that changes nothing', () => {
  const url = '/customers/00000000-0000-4000-8000-000000000050';
  const historyOf = async (): Promise<number> =>
    (await test.app.inject({ url: `${url}/history` })).json().items.length;

  it.each([
    ['PATCH', {}],
    ['PATCH', { firstName: 'Ada' }],
    ['PATCH', { ...ADA, phoneNumber: null }],
    ['PUT', ADA],
    ['PUT', { ...ADA, phoneNumber: null }],
  ] as const)('writes nothing: %s %j', async (method, payload) => {
    await test.app.inject({ method: 'PUT', url, payload: { email: 'b@c' } });
    const before = await test.app.inject({ method: 'PUT', url, payload: ADA });
    const entries = await historyOf();
    for (const headers of [{}, { 'if-match': etagOf(before) }, { 'if-match': '*' }]) {
      const same = await test.app.inject({ method, url, payload, headers });
      expect(same.statusCode).toBe(200);
      expect(etagOf(same)).toBe(etagOf(before));
      expect(same.json()).toEqual(before.json());
      expect(same.headers['x-tandem-version']).toBe(before.headers['x-tandem-version']);
    }
    expect(await historyOf()).toBe(entries);
    // The condition is judged all the same.
    const stale = { method, url, payload, headers: { 'if-match': '"0199a1b2c3d4-0003-east-a"' } };
    expect((await test.app.inject(stale)).statusCode).toBe(412);
    const absent = { method, url, payload, headers: { 'if-none-match': '*' } };
    expect((await test.app.inject(absent)).statusCode).toBe(412);
  });

  it('is a write when one field differs, and after a deletion', async () => {
    const before = await test.app.inject({ method: 'PUT', url, payload: ADA });
    const payload = { ...ADA, lastName: null };
    const changed = await test.app.inject({ method: 'PATCH', url, payload });
    expect(etagOf(changed)).not.toBe(etagOf(before));
    await test.app.inject({ method: 'DELETE', url });
    expect((await test.app.inject({ method: 'PATCH', url, payload: {} })).statusCode).toBe(404);
    expect((await test.app.inject({ method: 'PUT', url, payload })).statusCode).toBe(201);
  });

  it('is so in a batch and in an import', async () => {
    const before = await test.app.inject({ method: 'PUT', url, payload: ADA });
    const customerId = url.split('/')[2] ?? '';
    const operations = [{ replace: { customerId, customer: ADA } }];
    const batch = { method: 'POST', url: '/customers/batch', payload: { operations } } as const;
    const version = before.headers['x-tandem-version'];
    expect((await test.app.inject(batch)).json().items).toMatchObject([{ status: 200, version }]);
    const imported = await test.app.inject({
      method: 'POST',
      url: '/customers/import',
      payload: JSON.stringify({ customerId, ...ADA }),
      headers: { 'content-type': 'application/x-ndjson' },
    });
    expect(JSON.parse(imported.body.split('\n')[0] ?? '')).toMatchObject({ written: 1 });
    expect(etagOf(await test.app.inject({ url }))).toBe(etagOf(before));
  });
});

describe('C4: a customer that was read, changed and sent back', () => {
  const customerId = '00000000-0000-4000-8000-000000000060';
  const url = `/customers/${customerId}`;
  const put = (payload: object, headers = {}) =>
    test.app.inject({ method: 'PUT', url, payload, headers });
  const listed = async () => {
    const { items } = (await test.app.inject({ url: '/customers?limit=1000' })).json();
    return items.find((item: { customerId: string }) => item.customerId === customerId);
  };

  it('is taken, from a read and from a list', async () => {
    await put(ADA);
    const read = (await test.app.inject({ url })).json();
    expect((await put({ ...read, firstName: 'Augusta' })).json()).toMatchObject({
      firstName: 'Augusta',
    });
    const item = await listed();
    expect(item).toMatchObject({ version: expect.any(String) });
    const written = await put({ ...item, customerId: customerId.toUpperCase(), lastName: 'King' });
    expect(written.statusCode).toBe(200);
    const patch = {
      method: 'PATCH',
      url,
      payload: { ...(await listed()), lastName: 'L.' },
    } as const;
    expect((await test.app.inject(patch)).json()).toMatchObject({ lastName: 'L.' });
    const { customerId: id, ...customer } = await listed();
    const operations = [{ replace: { customerId: id, customer: { ...customer, lastName: 'M.' } } }];
    const batch = { method: 'POST', url: '/customers/batch', payload: { operations } } as const;
    expect((await test.app.inject(batch)).json().items).toMatchObject([{ status: 200 }]);
  });

  it.each([
    ['customerId', '00000000-0000-4000-8000-000000000061', 422],
    ['version', '0199a1b2c3d4-0003-east-a', 412],
    ['version', 'rubbish', 412],
    ['referenceId', 'Customers-00-20261101/0199a1b2c3d4-0003-west-a', 412],
  ])('is refused by name when its %s is %s', async (member, value, status) => {
    await put({ ...ADA, lastName: 'before' });
    const body = { ...ADA, lastName: 'after', [member]: value };
    for (const method of ['PUT', 'PATCH'] as const) {
      const response = await test.app.inject({ method, url, payload: body });
      expect(response.statusCode).toBe(status);
      expect(response.json().errors).toMatchObject([{ in: 'body', field: `/${member}` }]);
    }
    const operations = [{ replace: { customerId, customer: body } }];
    const batch = { method: 'POST', url: '/customers/batch', payload: { operations } } as const;
    expect((await test.app.inject(batch)).json().items).toMatchObject([{ status }]);
    expect((await test.app.inject({ url })).json()).toMatchObject({ lastName: 'before' });
  });

  it('is refused when it was written since, and holds beside If-Match', async () => {
    await put(ADA);
    const old = await listed();
    const etag = `"${old.version}"`;
    expect((await put({ ...old, lastName: 'x' }, { 'if-match': etag })).statusCode).toBe(200);
    const late = await put({ ...old, lastName: 'y' });
    expect(late.statusCode).toBe(412);
    expect(late.json()).toMatchObject({
      detail: expect.stringContaining('its version is another'),
      errors: [{ field: '/version' }],
    });
    const fresh = await listed();
    expect(etagOf(late)).toBe(`"${fresh.version}"`);
    for (const headers of [{ 'if-match': etag }, { 'if-none-match': '*' }]) {
      expect((await put({ ...fresh, lastName: 'z' }, headers)).statusCode).toBe(412);
    }
    await test.app.inject({ method: 'DELETE', url });
    const gone = await put({ ...fresh, lastName: 'z' });
    expect(gone.statusCode).toBe(412);
    expect(gone.json().errors).toMatchObject([{ field: '/version' }]);
  });

  it('is no customer to create under a new id', async () => {
    const payload = { ...ADA, customerId };
    const response = await test.app.inject({ method: 'POST', url: '/customers', payload });
    expect(response.statusCode).toBe(400);
    expect(response.json().errors).toMatchObject([{ field: '/customerId' }]);
  });
});

describe('C6: an ETag that something on the way has changed', () => {
  const url = '/customers/00000000-0000-4000-8000-000000000040';

  it.each([
    (tag: string) => `W/${tag}`,
    (tag: string) => tag.replace(/"$/, '-gzip"'),
    (tag: string) => tag.replace(/"$/, ';br"'),
    (tag: string) => `W/${tag}, ${tag.replace(/"$/, '--gzip"')}`,
  ])('is named as the reason of the 412', async (changed) => {
    const etag = etagOf(await test.app.inject({ method: 'PUT', url, payload: ADA }));
    const headers = { 'if-match': changed(etag) };
    for (const method of ['PUT', 'PATCH', 'DELETE', 'GET'] as const) {
      const payload = method === 'PUT' || method === 'PATCH' ? { payload: ADA } : {};
      const response = await test.app.inject({ method, url, headers, ...payload });
      expect(response.statusCode).toBe(412);
      expect(response.json().detail).toMatch(/proxy that packs answers.*send x-tandem-version/);
      expect(etagOf(response)).toBe(etag);
    }
    const fresh = `"${String((await test.app.inject({ url })).headers['x-tandem-version'])}"`;
    const mended = { method: 'PUT', url, payload: ADA, headers: { 'if-match': fresh } } as const;
    expect((await test.app.inject(mended)).statusCode).toBe(200);
  });

  it('is another thing than a stale one', async () => {
    const etag = etagOf(await test.app.inject({ method: 'PUT', url, payload: { email: 'b@c' } }));
    await test.app.inject({ method: 'PUT', url, payload: { email: 'c@d' } });
    const headers = { 'if-match': `W/"a", ${etag}` };
    const stale = await test.app.inject({ method: 'PUT', url, payload: ADA, headers });
    expect(stale.json().detail).toContain('read it, and decide anew');
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

interface Page {
  readonly items: readonly { readonly customerId: string }[];
  readonly nextCursor?: string;
  /** The cursor in the target of the Link header. */
  readonly linkedCursor: string | undefined;
}

async function readPages(app: TestApp['app'], limit: number): Promise<Page[]> {
  const pages: Page[] = [];
  let url: string | undefined = `/customers?limit=${limit}`;
  while (url !== undefined) {
    const response: { statusCode: number; headers: { link?: unknown }; json(): Page } =
      await app.inject({ url });
    expect(response.statusCode).toBe(200);
    const { link } = response.headers;
    url = typeof link === 'string' ? /^<([^>]+)>; rel="next"$/.exec(link)?.[1] : undefined;
    const linked = new URL(url ?? '/', 'http://localhost').searchParams.get('cursor');
    pages.push({ ...response.json(), linkedCursor: linked ?? undefined });
  }
  return pages;
}

describe('GET /customers', () => {
  it('gives every customer once, page by page, along nextCursor and the Link header', async () => {
    const { app } = await createTestApp();
    const ids: string[] = [];
    for (let index = 0; index < 7; index += 1) {
      const created = await app.inject({ method: 'POST', url: '/customers', payload: ADA });
      ids.push(created.json().customerId);
    }
    const pages = await readPages(app, 3);
    expect(pages.map((page) => page.items.length <= 3)).not.toContain(false);
    expect(pages.map((page) => page.linkedCursor)).toEqual(pages.map((page) => page.nextCursor));
    const seen = pages.flatMap((page) => page.items.map((item) => item.customerId));
    expect(seen.sort()).toEqual(ids.sort());
    await app.close();
  });

  it.each(['0', '1001', '-1', '1.5', 'abc', '', '1e2', 'true', ' 5', '0x10', '1&limit=2'])(
    'refuses limit=%s, naming it',
    async (limit) => {
      const response = await test.app.inject({ url: `/customers?limit=${limit}` });
      expect(response.statusCode).toBe(400);
      expect(response.json().errors[0]).toMatchObject({ in: 'query', field: '/limit' });
    },
  );

  it.each(['bogus', '%00', 'eyJ4IjoxfQ', '%F0%9F%92%A9'])(
    'refuses the cursor %s, which no list gave out',
    async (cursor) => {
      const response = await test.app.inject({ url: `/customers?cursor=${cursor}` });
      expect(response.statusCode).toBe(400);
    },
  );

  it('refuses a query parameter that it does not know', async () => {
    const response = await test.app.inject({ url: '/customers?limt=5' });
    expect(response.statusCode).toBe(400);
    expect(response.json().errors).toEqual([
      expect.objectContaining({ in: 'query', field: '/limt', rule: 'additionalProperties' }),
    ]);
  });
});
