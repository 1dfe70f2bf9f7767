import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp } from '../testing/create-test-app.ts';

const COUNT = 24;
const email = (n: number): string => `customer-${n % 4}@example.com`;

let test: TestApp;

beforeAll(async () => {
  test = await createTestApp();
  for (let n = 0; n < COUNT; n += 1) {
    const payload = { email: email(n) };
    await test.app.inject({ method: 'POST', url: '/customers', payload });
  }
});

afterAll(async () => {
  await test.app.close();
});

const search = (payload: object) =>
  test.app.inject({ method: 'POST', url: '/customers/search', payload });

describe('POST /customers/search', () => {
  it('has each customer with exactly that address once, page by page', async () => {
    const ids: string[] = [];
    let cursor: string | undefined;
    do {
      const more = cursor === undefined ? {} : { cursor };
      const { items, nextCursor } = (await search({ email: email(1), limit: 2, ...more })).json();
      for (const item of items) {
        expect(item.email).toBe(email(1));
        ids.push(item.customerId);
      }
      cursor = nextCursor;
    } while (cursor !== undefined);
    expect(new Set(ids).size).toBe(COUNT / 4);
    expect(ids).toHaveLength(COUNT / 4);
    const other = { email: email(1).toUpperCase() };
    expect((await search(other)).json()).toEqual({ items: [] });
  });

  it('refuses the cursor of another address, and that of the list', async () => {
    const { nextCursor } = (await search({ email: email(1), limit: 1 })).json();
    const wrong = await search({ email: email(2), limit: 1, cursor: nextCursor });
    expect(wrong.statusCode).toBe(400);
    expect(wrong.json().type).toBe('/problems/cursor-invalid');
    const listed = (await test.app.inject({ url: '/customers?limit=1' })).json().nextCursor;
    expect((await search({ email: email(1), cursor: listed })).statusCode).toBe(400);
    expect((await test.app.inject({ url: `/customers?cursor=${nextCursor}` })).statusCode).toBe(
      400,
    );
  });

  it('has no place in a URL, nor in the log', async () => {
    await search({ email: 'ada.secret@example.com' });
    expect((await test.app.inject({ url: '/customers?email=a@b' })).statusCode).toBe(400);
    expect(JSON.stringify(test.lines)).not.toContain('ada.secret');
  });
});

describe('GET /customers?changedSince', () => {
  const list = (query: Record<string, string>) => test.app.inject({ url: '/customers', query });

  it('has what was changed then or later, and keeps the filter in the link', async () => {
    expect((await list({ changedSince: '2100-01-01T00:00:00Z' })).json()).toEqual({ items: [] });
    const page = await list({ changedSince: '2020-01-01T00:00:00.5Z', limit: '5' });
    expect(page.json().items).toHaveLength(5);
    const [, target = ''] = /^<([^>]+)>; rel="next"$/.exec(String(page.headers['link'])) ?? [];
    expect(target).toContain('changedSince=');
    expect((await test.app.inject({ url: target })).json().items).toHaveLength(5);
    const { nextCursor } = page.json();
    expect((await list({ cursor: nextCursor })).statusCode).toBe(400);
  });

  it.each([
    '2020-01-01T00:00:00+00:00',
    '2020-01-01T05:30:00.1234567-05:30',
    '2020-01-01t00:00:00z',
    '2020-01-01T00:00:00.000000000000Z',
    '2016-12-31T23:59:60Z',
  ])('C2: takes %s, as RFC 3339 has it', async (changedSince) => {
    expect((await list({ changedSince })).json().items).toHaveLength(COUNT);
    const found = await search({ email: email(1), changedSince, limit: 1_000 });
    expect(found.json().items).toHaveLength(COUNT / 4);
    const exported = await test.app.inject({ url: '/customers/export', query: { changedSince } });
    expect(exported.body.trimEnd().split('\n')).toHaveLength(COUNT);
    // As it is typed: a plus that is not encoded.
    const typed = await test.app.inject({ url: `/customers?changedSince=${changedSince}` });
    expect(typed.json().items).toHaveLength(COUNT);
    const page = await test.app.inject({ url: `/customers?limit=5&changedSince=${changedSince}` });
    const [, target = ''] = /^<([^>]+)>/.exec(String(page.headers['link'])) ?? [];
    expect((await test.app.inject({ url: target })).json().items).toHaveLength(5);
  });

  it('C2: means the same instant by every offset', async () => {
    for (const [changedSince, count] of [
      ['2026-11-01T00:00:00Z', COUNT],
      ['2026-11-01T01:00:00+01:00', COUNT],
      ['2100-01-01T00:00:00+00:00', 0],
    ] as const) {
      expect((await list({ changedSince })).json().items).toHaveLength(count);
    }
  });

  it.each([
    '2026-13-01T00:00:00Z',
    '2026-02-30T00:00:00Z',
    '2026-11-22T24:00:00Z',
    '2026-11-22T10:00:00+24:00',
    '2026-11-22T10:00:60Z',
    '2026-11-22T10:00:00+0100',
    '2026-11-22 10:00:00Z',
    '2026-11-22',
    '2026-11-22T10:00:00',
    'now',
    '',
  ])('refuses %j', async (changedSince) => {
    const response = await list({ changedSince });
    expect(response.statusCode).toBe(400);
    expect(response.json().errors[0]).toMatchObject({ in: 'query', field: '/changedSince' });
  });
});

describe('the history of nobody', () => {
  it('is not found; that of a customer who was deleted is there', async () => {
    const url = '/customers/00000000-0000-4000-8000-000000000099';
    const missing = await test.app.inject({ url: `${url}/history` });
    expect(missing.statusCode).toBe(404);
    expect(missing.json().type).toBe('/problems/customer-not-found');
    await test.app.inject({ method: 'PUT', url, payload: { email: 'a@example.com' } });
    await test.app.inject({ method: 'DELETE', url });
    expect((await test.app.inject({ url: `${url}/history` })).statusCode).toBe(200);
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
      const created = await app.inject({
        method: 'POST',
        url: '/customers',
        payload: { email: email(0) },
      });
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
