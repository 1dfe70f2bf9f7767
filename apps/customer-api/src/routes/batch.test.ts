import { bucketOf, TransientError } from '@tandem/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp } from '../testing/create-test-app.ts';

const ADA = { email: 'ada@example.com' };
const BOB = { email: 'bob@example.com' };
const id = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

let test: TestApp;

beforeAll(async () => {
  test = await createTestApp();
});

afterAll(async () => {
  await test.app.close();
});

const batch = (operations: unknown, headers: Record<string, string> = {}, app = test.app) =>
  app.inject({ method: 'POST', url: '/customers/batch', payload: { operations }, headers });
const read = (customerId: string) => test.app.inject({ url: `/customers/${customerId}` });

/** Ids of one bucket of the test app's four, and of another. */
const byBucket = Map.groupBy(
  Array.from({ length: 600 }, (_, index) => id(5_000 + index)),
  (customerId) => bucketOf(customerId, 4),
);
const [SHARED = [], OTHERS = []] = [...byBucket.values()];

describe('POST /customers/batch with atomic', () => {
  const whole = (operations: unknown, app = test.app) =>
    app.inject({ method: 'POST', url: '/customers/batch', payload: { operations, atomic: true } });
  const [A = '', B = '', C = ''] = SHARED;

  it('I20: does all operations, and tells of each in its place', async () => {
    const response = await whole([
      { create: { customerId: A, customer: ADA } },
      { replace: { customerId: B.toUpperCase(), customer: BOB } },
    ]);
    expect(response.statusCode).toBe(200);
    const { items } = response.json();
    expect(items).toMatchObject([
      { status: 201, customerId: A, acknowledged: 'local', receipt: expect.any(String) },
      { status: 201, customerId: B },
    ]);
    expect(items[0].version).toBe(items[1].version);
    const next = await whole([
      { delete: { customerId: A } },
      { replace: { customerId: B, customer: ADA } },
    ]);
    expect(next.json().items).toMatchObject([{ status: 204 }, { status: 200 }]);
  });

  it.each([
    ['a customer that is not there', () => ({ delete: { customerId: C } }), 'customer-not-found'],
    [
      'a version that is not the current one',
      () => ({ replace: { customerId: SHARED[4], customer: BOB, ifVersion: 'stale' } }),
      'precondition-failed',
    ],
    [
      'a member that no write sets',
      () => ({ replace: { customerId: SHARED[4], customer: { ...BOB, customerId: id(1) } } }),
      'read-only-differs',
    ],
  ])('I20: does none when one is refused: %s', async (_, refused, rule) => {
    const response = await whole([
      { replace: { customerId: SHARED[3], customer: BOB } },
      refused(),
    ]);
    expect(response.statusCode).toBe(409);
    expect(response.json()).toMatchObject({
      type: '/problems/batch-refused',
      errors: [{ field: '/operations/1', rule }],
    });
    expect((await read(SHARED[3]!)).statusCode).toBe(404);
  });

  it.each([
    ['two buckets', () => [SHARED[5], OTHERS[0]], /operation 1.*lies in/],
    [
      'many of any bucket',
      () => Array.from({ length: 100 }, (_, n) => id(6_000 + n)),
      /operation \d+.*lies in/,
    ],
  ])('says why it cannot: %s', async (_, ids, why) => {
    const operations = ids().map((customerId) => ({ replace: { customerId, customer: BOB } }));
    const response = await whole(operations);
    expect(response.statusCode).toBe(422);
    expect(response.json()).toMatchObject({
      type: '/problems/batch-not-atomic',
      detail: expect.stringMatching(why),
    });
    expect((await read(ids()[0]!)).statusCode).toBe(404);
  });

  it('I20: does a hundred', async () => {
    const hundred = SHARED.slice(10, 110);
    const response = await whole(
      hundred.map((customerId) => ({ replace: { customerId, customer: BOB } })),
    );
    expect(response.statusCode).toBe(200);
    const { items } = response.json();
    expect(items).toHaveLength(100);
    expect(new Set(items.map(({ version }: { version: string }) => version)).size).toBe(1);
    expect((await read(hundred[99]!)).statusCode).toBe(200);
  });

  it('says of a creation without an id that it lies in any bucket', async () => {
    const response = await whole([{ create: { customer: ADA } }]);
    expect(response.json()).toMatchObject({
      type: '/problems/batch-not-atomic',
      detail: expect.stringContaining('customerId'),
    });
  });
});

describe('POST /customers/batch', () => {
  it('does each operation by itself, and tells of each in its place', async () => {
    await batch([{ create: { customerId: id(1), customer: ADA } }]);
    await batch([{ create: { customerId: id(2), customer: ADA } }]);
    const response = await batch([
      { create: { customerId: id(1), customer: BOB } },
      { create: { customer: ADA } },
      { replace: { customerId: id(2), customer: BOB } },
      { replace: { customerId: id(3), customer: BOB } },
      { delete: { customerId: id(4) } },
      { replace: { customerId: id(5), customer: BOB, ifVersion: 'stale' } },
    ]);
    expect(response.statusCode).toBe(200);
    const { items } = response.json();
    expect(items.map(({ status }: { status: number }) => status)).toEqual([
      412, 201, 200, 201, 404, 412,
    ]);
    expect(items[0]).toMatchObject({
      customerId: id(1),
      version: expect.any(String),
      problem: { type: '/problems/precondition-failed', status: 412 },
    });
    expect(items[2]).toMatchObject({ acknowledged: 'local', receipt: expect.any(String) });
    expect((await read(id(1))).json().email).toBe(ADA.email);
    const replaced = await read(id(2));
    expect(replaced.json().email).toBe(BOB.email);
    expect(replaced.headers['x-tandem-version']).toBe(items[2].version);
    expect((await read(items[1].customerId)).statusCode).toBe(200);
    expect((await read(id(5))).statusCode).toBe(404);
  });

  it('deletes and replaces only the version that is named', async () => {
    const [first] = (await batch([{ replace: { customerId: id(10), customer: ADA } }])).json()
      .items;
    const change = { replace: { customerId: id(10), customer: BOB, ifVersion: first.version } };
    const [second] = (await batch([change])).json().items;
    expect(second.status).toBe(200);
    const removal = (ifVersion: string) => [{ delete: { customerId: id(10), ifVersion } }];
    expect((await batch(removal(first.version))).json().items[0].status).toBe(412);
    expect((await batch(removal(second.version))).json().items[0].status).toBe(204);
  });

  it.each(['"0199a1b2c3d4-0003-east-a"', 'W/"a"', 'stale'])(
    'C6: says of the version %s that none can be it',
    async (ifVersion) => {
      const operations = [{ replace: { customerId: id(11), customer: ADA, ifVersion } }];
      const [item] = (await batch(operations)).json().items;
      expect(item).toMatchObject({
        status: 412,
        problem: { detail: expect.stringContaining('as it came') },
      });
    },
  );

  it('refuses one customer named twice, in any case, and writes nothing', async () => {
    const upper = 'AAAAAAAA-0000-4000-8000-000000000001';
    const response = await batch([
      { create: { customerId: upper, customer: ADA } },
      { create: { customer: ADA } },
      { delete: { customerId: upper.toLowerCase() } },
    ]);
    expect(response.statusCode).toBe(400);
    expect(response.json().errors).toEqual([
      expect.objectContaining({ field: '/operations/2/delete/customerId', rule: 'unique' }),
    ]);
    expect((await read(upper)).statusCode).toBe(404);
  });

  it.each([
    ['no operations', [], '/operations'],
    ['too many', Array.from({ length: 101 }, () => ({ create: { customer: ADA } })), '/operations'],
    ['none of the three', [{}], '/operations/0'],
    [
      'two of the three',
      [{ create: { customer: ADA }, delete: { customerId: id(1) } }],
      '/operations/0',
    ],
    ['an unknown one', [{ patch: {} }], '/operations/0'],
    ['no id to replace', [{ replace: { customer: ADA } }], '/operations/0/replace/customerId'],
    ['a bad customer', [{ create: { customer: {} } }], '/operations/0/create/customer/email'],
    [
      'half a surrogate pair',
      [{ create: { customer: { ...ADA, firstName: '\ud800' } } }],
      '/operations/0/create/customer/firstName',
    ],
  ])('refuses %s, naming the place', async (_name, operations, field) => {
    const response = await batch(operations);
    expect(response.statusCode).toBe(400);
    const fields = response.json().errors.map((one: { field: string }) => one.field);
    expect(fields.some((one: string) => one.startsWith(field))).toBe(true);
  });

  it('makes no second customers when it is repeated with its key', async () => {
    const operations = [{ create: { customer: ADA } }, { create: { customer: ADA } }];
    const headers = { 'idempotency-key': 'batch-1' };
    const first = (await batch(operations, headers)).json().items;
    const second = (await batch(operations, headers)).json().items;
    const ids = (items: { customerId: string }[]) => items.map(({ customerId }) => customerId);
    expect(ids(second)).toEqual(ids(first));
    expect(new Set(ids(first)).size).toBe(2);
    expect(second).toMatchObject([{ replayed: true }, { replayed: true }]);
    const other = [{ create: { customer: BOB } }];
    expect((await batch(other, headers)).json().items[0]).toMatchObject({
      status: 422,
      problem: { type: '/problems/key-reused' },
    });
  });

  it('tells of a table that fails for some, and not of its account', async () => {
    const broken = await createTestApp({
      table: {
        remove: async () => {
          throw new TransientError('TABLE_THROTTLED', 'account east01');
        },
      },
    });
    const operations = [{ delete: { customerId: id(1) } }, { create: { customer: ADA } }];
    const response = await batch(operations, {}, broken.app);
    expect(response.json().items).toMatchObject([{ status: 503 }, { status: 201 }]);
    expect(response.body).not.toContain('east01');
    await broken.app.close();
  });

  it('logs what failed unexpectedly, of which the answer says nothing', async () => {
    const broken = await createTestApp({
      table: {
        remove: async () => {
          throw new TypeError('no such thing');
        },
      },
    });
    const response = await batch([{ delete: { customerId: id(1) } }], {}, broken.app);
    expect(response.json().items).toMatchObject([{ status: 500 }]);
    expect(response.body).not.toContain('no such thing');
    expect(broken.lines.filter(({ level }) => level === 'error')).toMatchObject([
      { event: 'request-failed', error: { message: 'no such thing' } },
    ]);
    await broken.app.close();
  });

  it('takes 100 customers of the longest fields', async () => {
    const customer = { email: `${'ü'.repeat(240)}@example.com`, firstName: '😀'.repeat(200) };
    const operations = Array.from({ length: 100 }, () => ({ create: { customer } }));
    const response = await batch(operations);
    const statuses = response.json().items.map(({ status }: { status: number }) => status);
    expect(new Set(statuses)).toEqual(new Set([201]));
  });
});

describe('a region that demands preconditions', () => {
  let strict: TestApp;

  beforeAll(async () => {
    strict = await createTestApp({ isPreconditionRequired: true });
  });

  afterAll(async () => {
    await strict.app.close();
  });

  it.each(['PUT', 'PATCH', 'DELETE'] as const)('answers a blind %s with 428', async (method) => {
    const url = `/customers/${id(1)}`;
    const payload = method === 'DELETE' ? {} : { payload: ADA };
    const response = await strict.app.inject({ method, url, ...payload });
    expect(response.statusCode).toBe(428);
    expect(response.json().type).toBe('/problems/precondition-required');
  });

  it('takes what names its base, and creations', async () => {
    const url = `/customers/${id(2)}`;
    const put = (headers: Record<string, string>) =>
      strict.app.inject({ method: 'PUT', url, payload: ADA, headers });
    const created = await put({ 'if-none-match': '*' });
    expect(created.statusCode).toBe(201);
    expect((await put({ 'if-match': String(created.headers['etag']) })).statusCode).toBe(200);
    const post = await strict.app.inject({ method: 'POST', url: '/customers', payload: ADA });
    expect(post.statusCode).toBe(201);
  });

  it('holds for the operations of a batch', async () => {
    const operations = [
      { replace: { customerId: id(3), customer: ADA } },
      { delete: { customerId: id(4) } },
      { create: { customerId: id(5), customer: ADA } },
    ];
    const response = await batch(operations, {}, strict.app);
    expect(response.json().items).toMatchObject([
      { status: 428 },
      { status: 428 },
      { status: 201 },
    ]);
  });
});
