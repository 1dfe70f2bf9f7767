import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTwoRegionApps, type TwoRegionApps } from '../testing/two-region-apps.ts';

const URL_OF_ADA = '/customers/4f1c9d0e-6a53-4b3e-9f0a-2f6b0c1d7e88';
const ADA = { email: 'ada@example.com', firstName: 'Ada' };
const LATER = { email: 'ada@example.org' };

let apps: TwoRegionApps;

beforeEach(async () => {
  apps = await createTwoRegionApps();
});

afterEach(async () => {
  await apps.close();
});

const versionOf = (response: { headers: Record<string, unknown> }): string =>
  String(response.headers['x-tandem-version']);

describe('I9: read-your-writes with a version token across fail-over', () => {
  const asking = (version: string, waitS = 0) => ({
    'x-tandem-min-version': version,
    prefer: `wait=${waitS}`,
  });

  it('answers 503 with Retry-After instead of older data, and the data once it is there', async () => {
    const { east, west, regions } = apps;
    await east.inject({ method: 'PUT', url: URL_OF_ADA, payload: ADA });
    await regions.settle();
    const written = await east.inject({ method: 'PUT', url: URL_OF_ADA, payload: LATER });
    const headers = asking(versionOf(written));

    const behind = await west.inject({ url: URL_OF_ADA, headers });
    expect(behind.statusCode).toBe(503);
    expect(behind.json().type).toBe('/problems/version-not-reached');
    expect(behind.headers['retry-after']).toBe('1');
    expect((await west.inject({ url: URL_OF_ADA })).json()).toMatchObject(ADA);

    await regions.settle();
    const reached = await west.inject({ url: URL_OF_ADA, headers });
    expect(reached.statusCode).toBe(200);
    expect(reached.json()).toMatchObject(LATER);
    expect(versionOf(reached)).toBe(versionOf(written));
  });

  it('shows no customer that its client has deleted in the other region', async () => {
    const { east, west, regions } = apps;
    await east.inject({ method: 'PUT', url: URL_OF_ADA, payload: ADA });
    await regions.settle();
    const deleted = await east.inject({ method: 'DELETE', url: URL_OF_ADA });
    const headers = asking(versionOf(deleted));
    expect((await west.inject({ url: URL_OF_ADA, headers })).statusCode).toBe(503);
    await regions.settle();
    expect((await west.inject({ url: URL_OF_ADA, headers })).statusCode).toBe(404);
  });

  it('answers as soon as the version arrives while it waits', async () => {
    const { east, west, regions } = apps;
    const written = await east.inject({ method: 'PUT', url: URL_OF_ADA, payload: ADA });
    const headers = asking(versionOf(written), 10);
    const [answer] = await Promise.all([
      west.inject({ url: URL_OF_ADA, headers }),
      regions.settle(),
    ]);
    expect(answer.statusCode).toBe(200);
  });

  it('writes on nothing older than what the client has seen', async () => {
    const { east, west, regions } = apps;
    const written = await east.inject({ method: 'PUT', url: URL_OF_ADA, payload: ADA });
    const headers = asking(versionOf(written));
    const patch = {
      method: 'PATCH',
      url: URL_OF_ADA,
      payload: { lastName: 'L.' },
      headers,
    } as const;
    expect((await west.inject(patch)).statusCode).toBe(503);
    await regions.settle();
    expect((await west.inject(patch)).json()).toMatchObject({ ...ADA, lastName: 'L.' });
  });

  it('takes the ETag of an answer as well, and of every answer that shows the customer', async () => {
    const { east } = apps;
    const written = await east.inject({ method: 'PUT', url: URL_OF_ADA, payload: ADA });
    const headers = asking(String(written.headers['etag']));
    const read = await east.inject({ url: URL_OF_ADA, headers });
    expect(read.statusCode).toBe(200);
    const page = await east.inject({ url: '/customers' });
    expect(page.json().items[0].version).toBe(versionOf(read));
  });

  it.each(['', 'x', 'W/"a"', '0199a1b2c3d4-0003-east', 'a'.repeat(2_000)])(
    'refuses the version "%s", which no answer carried',
    async (version) => {
      const response = await apps.west.inject({ url: URL_OF_ADA, headers: asking(version) });
      expect(response.statusCode).toBe(400);
      expect(response.json()).toMatchObject({
        type: '/problems/version-malformed',
        errors: [{ in: 'header', field: '/x-tandem-min-version' }],
      });
    },
  );
});

describe('A14: a version that cannot be', () => {
  it.each([
    'ffffffffffff-ffff-mars-abcdefgh',
    'ffffffffffff-ffff-west-a',
    '0199a1b2c3d4-0003-mars-a',
  ])('is refused at once and by name: %s', async (version) => {
    const headers = { 'x-tandem-min-version': version, prefer: 'wait=10' };
    const beganMs = performance.now();
    for (const url of [URL_OF_ADA, `${URL_OF_ADA}/history`]) {
      const response = await apps.east.inject({ url, headers });
      expect(response.statusCode).toBe(400);
      expect(response.json()).toMatchObject({
        type: '/problems/version-malformed',
        detail: expect.stringMatching(/mars|further ahead/),
        errors: [{ in: 'header', field: '/x-tandem-min-version', rule: 'plausible' }],
      });
    }
    expect(performance.now() - beganMs).toBeLessThan(10_000);
  });
});

describe('C4: a customer that another region wrote', () => {
  it('is put back with its referenceId, while that is still its own', async () => {
    const { east, west, regions } = apps;
    await east.inject({ method: 'PUT', url: URL_OF_ADA, payload: ADA });
    await regions.settle();
    const read = (await west.inject({ url: URL_OF_ADA })).json();
    expect(read).toMatchObject({ referenceId: expect.stringContaining('Customers-') });
    const put = { method: 'PUT', url: URL_OF_ADA, payload: { ...read, firstName: 'A.' } } as const;
    expect((await west.inject(put)).json()).toMatchObject({ firstName: 'A.' });
    const late = await west.inject(put);
    expect(late.statusCode).toBe(412);
    expect(late.json().errors).toMatchObject([{ in: 'body', field: '/referenceId' }]);
  });
});

describe('the acknowledgement level', () => {
  it('is local when no more was asked for, or no more was reached in time', async () => {
    const put = { method: 'PUT', url: URL_OF_ADA, payload: ADA } as const;
    const local = await apps.east.inject(put);
    expect(local.headers['x-tandem-acknowledged']).toBe('local');
    const headers = { prefer: 'ack=queued, wait=0' };
    const late = await apps.east.inject({ ...put, headers });
    expect(late.statusCode).toBe(200);
    expect(late.headers['x-tandem-acknowledged']).toBe('local');
    expect(late.headers['preference-applied']).toBeUndefined();
  });
});

describe('C12: what cannot be honoured is said, never passed over', () => {
  it('names an unknown level in the answer to a write, and to a batch', async () => {
    const levels = [
      ['replicated', 'ack=replicated'],
      ['archived', 'ack=archived'],
      ['QUEUED', 'ack=QUEUED'],
      ['<b>\t', 'ack'],
      ['', 'ack'],
      ['queued, wait=0', undefined],
      ['local', undefined],
    ] as const;
    for (const [level, named] of levels) {
      const headers = { prefer: `ack=${level}` };
      const put = { method: 'PUT', url: URL_OF_ADA, payload: ADA, headers } as const;
      const operations = [{ replace: { customerId: URL_OF_ADA.split('/')[2], customer: ADA } }];
      const url = '/customers/batch';
      const batch = { method: 'POST', url, payload: { operations }, headers } as const;
      for (const request of [put, batch]) {
        const response = await apps.east.inject(request);
        expect(response.statusCode).toBeLessThan(300);
        expect(response.headers['x-tandem-preference-unknown']).toBe(named);
      }
    }
  });

  it('refuses the least version on every path that is not of one customer', async () => {
    const line = { 'content-type': 'application/x-ndjson' };
    const operations = [{ create: { customer: ADA } }];
    const requests = [
      { url: '/customers' },
      { url: '/customers/export' },
      { method: 'POST', url: '/customers', payload: ADA },
      { method: 'POST', url: '/customers/search', payload: { email: 'a@b' } },
      { method: 'POST', url: '/customers/batch', payload: { operations } },
      { method: 'POST', url: '/customers/import', payload: '{"email":"a@b"}', headers: line },
    ] as const;
    for (const request of requests) {
      for (const version of ['0199a1b2c3d4-0003-east-k3v9x2q7', 'rubbish', '']) {
        const own = 'headers' in request ? request.headers : {};
        const headers = { ...own, 'x-tandem-min-version': version };
        const response = await apps.east.inject({ ...request, headers });
        expect(response.statusCode).toBe(400);
        expect(response.json()).toMatchObject({
          type: '/problems/version-malformed',
          errors: [{ in: 'header', field: '/x-tandem-min-version' }],
        });
      }
    }
    expect((await apps.east.inject({ url: '/customers' })).json().items).toEqual([]);
  });
});

describe('GET /customers/:customerId/history', () => {
  it('tells when, where and what was written in either region, the deletion included', async () => {
    const { east, west, regions } = apps;
    await east.inject({ method: 'PUT', url: URL_OF_ADA, payload: ADA });
    await regions.settle();
    await west.inject({ method: 'PATCH', url: URL_OF_ADA, payload: LATER });
    await regions.settle();
    const deleted = await east.inject({ method: 'DELETE', url: URL_OF_ADA });
    await regions.settle();
    for (const app of [east, west]) {
      const response = await app.inject({ url: `${URL_OF_ADA}/history` });
      expect(response.json().items).toMatchObject([
        { region: 'east', operation: 'create', customer: ADA },
        { region: 'west', operation: 'patch', changedFields: ['email'], customer: LATER },
        { region: 'east', operation: 'delete', changedFields: [], version: versionOf(deleted) },
      ]);
      expect(response.json().items[2]).not.toHaveProperty('customer');
    }
  });

  it('goes on page by page where the last one ended', async () => {
    const { east, regions } = apps;
    for (const lastName of ['a', 'b', 'c', 'd', 'e']) {
      await east.inject({ method: 'PUT', url: URL_OF_ADA, payload: { ...ADA, lastName } });
    }
    await regions.settle();
    const names: string[] = [];
    let url: string | undefined = `${URL_OF_ADA}/history?limit=2`;
    while (url !== undefined) {
      const response: { headers: { link?: unknown }; json(): never } = await east.inject({ url });
      const { items } = response.json() as { items: { customer: { lastName: string } }[] };
      names.push(...items.map(({ customer }) => customer.lastName));
      const { link } = response.headers;
      url = typeof link === 'string' ? /^<([^>]+)>/.exec(link)?.[1] : undefined;
    }
    expect(names).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('refuses a cursor that another list gave out', async () => {
    const url = `${URL_OF_ADA}/history?cursor=cDE6Q3VzdG9tZXJzOjAwOg`;
    expect((await apps.east.inject({ url })).statusCode).toBe(400);
  });
});
