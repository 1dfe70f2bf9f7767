import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp } from '../testing/create-test-app.ts';

const ADA = { email: 'ada@example.com', firstName: 'Ada', lastName: 'Lovelace' };
const ID = '4F1C9D0E-6A53-4B3E-9F0A-2F6B0C1D7E88';

let test: TestApp;

beforeAll(async () => {
  test = await createTestApp();
});

afterAll(async () => {
  await test.app.close();
});

const etagOf = (response: { headers: Record<string, unknown> }): string =>
  String(response.headers['etag']);

describe('PUT with a condition', () => {
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
