import { TransientError } from '@tandem/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp } from '../testing/create-test-app.ts';

const NDJSON = { 'content-type': 'application/x-ndjson' };
const id = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const line = (n: number): string =>
  JSON.stringify({ customerId: id(n), email: `customer-${n}@example.com` });
const SECRET = 'ada.secret@example.com';

let test: TestApp;

beforeAll(async () => {
  test = await createTestApp();
});

afterAll(async () => {
  await test.app.close();
});

interface Report {
  readonly status: number;
  readonly text: string;
  readonly failures: readonly {
    readonly line: number;
    readonly problem: { readonly type: string };
  }[];
  readonly last: Readonly<Record<string, unknown>>;
}

async function importLines(
  payload: string | Buffer,
  options: { headers?: Record<string, string>; query?: string; app?: TestApp['app'] } = {},
): Promise<Report> {
  const { app = test.app, headers = {}, query = '' } = options;
  const url = `/customers/import${query}`;
  const response = await app.inject({
    method: 'POST',
    url,
    payload,
    headers: { ...NDJSON, ...headers },
  });
  const lines = response.body
    .trimEnd()
    .split('\n')
    .map((text) => JSON.parse(text));
  return {
    status: response.statusCode,
    text: response.body,
    failures: lines.filter((one) => 'line' in one),
    last: lines.at(-1),
  };
}

describe('POST /customers/import', () => {
  it('writes what is well-formed, and reports each other line with its number', async () => {
    const { status, failures, last, text } = await importLines(
      [
        line(1),
        '',
        '{"customerId":',
        JSON.stringify({ customerId: id(2), email: SECRET, age: 5 }),
        line(2),
        JSON.stringify({ email: SECRET }),
        `{"customerId":"${id(3)}","email":"a@b","email":"c@d"}`,
        JSON.stringify({ customerId: id(3), email: 'a@b', firstName: 'x'.repeat(17_000) }),
        '[]',
        line(4),
      ].join('\n'),
    );
    expect(status).toBe(200);
    expect(failures.map((one) => [one.line, one.problem.type.split('/').at(-1)])).toEqual([
      [3, 'malformed-json'],
      [4, 'validation-failed'],
      [6, 'validation-failed'],
      [7, 'malformed-json'],
      [8, 'line-too-long'],
      [9, 'validation-failed'],
    ]);
    expect(last).toEqual({ settledThrough: 10, written: 3, failed: 6, outcome: 'complete' });
    expect(text).not.toContain(SECRET);
    expect((await test.app.inject({ url: `/customers/${id(4)}` })).statusCode).toBe(200);
  });

  it.each(['\ufeff', '  \t', '\ufeff \r', '\ufeff\r'])(
    'C9: takes a first line of nothing but %j for an empty one',
    async (first) => {
      const { failures, last } = await importLines(`${first}\n${line(20)}\n`);
      expect(failures).toEqual([]);
      expect(last).toEqual({ settledThrough: 2, written: 1, failed: 0, outcome: 'complete' });
    },
  );

  it('C9: takes a byte order mark before the first customer', async () => {
    const { last } = await importLines(`\ufeff${line(20)}\n`);
    expect(last).toMatchObject({ written: 1, failed: 0 });
  });

  it('C9: makes other customers of its lines than a batch of its operations with the same key', async () => {
    const headers = { 'idempotency-key': 'shared' };
    const customer = { email: 'shared@example.com' };
    const operations = Array.from({ length: 3 }, () => ({ create: { customer } }));
    const batch = await test.app.inject({
      method: 'POST',
      url: '/customers/batch',
      payload: { operations },
      headers,
    });
    const ofBatch = batch.json().items.map((item: { customerId: string }) => item.customerId);
    await importLines(`${JSON.stringify(customer)}\n`.repeat(3), { headers });
    const payload = { email: customer.email, limit: 1_000 };
    const found = await test.app.inject({ method: 'POST', url: '/customers/search', payload });
    const ids = found.json().items.map((item: { customerId: string }) => item.customerId);
    expect(ids).toHaveLength(6);
    expect(ids).toEqual(expect.arrayContaining(ofBatch));
  });

  it('C1: keeps every line whole, whatever a reader takes for the end of one', async () => {
    const breakers = '\u0085\u2028\u2029\u009b\u007f\u000b\u001c';
    const other = await createTestApp();
    const customer = { customerId: id(1), email: 'a@b', firstName: `a${breakers}b` };
    await importLines(JSON.stringify(customer), { app: other.app });
    const { body } = await other.app.inject({ url: '/customers/export' });
    expect(body.split(/[\n\v\f\r\u0085\u2028\u2029]/)).toHaveLength(2);
    expect(JSON.parse(body)).toMatchObject(customer);
    const report = await importLines(`{"email":"a@b","x${breakers}":1}`, { app: other.app });
    expect(report.text).not.toMatch(/[\u007f-\u009f\u2028\u2029]/);
    expect(report.failures).toHaveLength(1);
    await other.app.close();
  });

  it('reports a last line that is cut in half', async () => {
    const { failures, last } = await importLines(`${line(10)}\n${line(11).slice(0, -20)}`);
    expect(failures).toMatchObject([{ line: 2, problem: { type: '/problems/malformed-json' } }]);
    expect(last).toMatchObject({ written: 1, failed: 1, outcome: 'complete' });
    expect((await test.app.inject({ url: `/customers/${id(11)}` })).statusCode).toBe(404);
  });

  it('makes no second customers when the same lines are sent again with the key', async () => {
    const lines = [
      '{"email":"a@example.com"}',
      '{"email":"b@example.com"}',
      '{"email":"c@example.com"}',
    ];
    const headers = { 'idempotency-key': 'import-1' };
    const countOf = async (): Promise<number> =>
      (await test.app.inject({ url: '/customers?limit=1000' })).json().items.length;
    const before = await countOf();
    await importLines(lines.join('\n'), { headers });
    const rest = await importLines(lines.slice(1).join('\n'), { headers, query: '?firstLine=2' });
    expect(rest.last).toEqual({ settledThrough: 3, written: 2, failed: 0, outcome: 'complete' });
    expect(await countOf()).toBe(before + 3);
  });

  it('takes what an export wrote, and so restores it', async () => {
    const other = await createTestApp();
    const exported = await test.app.inject({ url: '/customers/export' });
    const { last } = await importLines(exported.body, { app: other.app });
    expect(last).toMatchObject({ failed: 0, outcome: 'complete' });
    const listed = async ({ app }: TestApp): Promise<unknown[]> => {
      const { items } = (await app.inject({ url: '/customers?limit=1000' })).json();
      return items.map(({ version: _version, ...fields }: { version: string }) => fields);
    };
    expect(await listed(other)).toEqual(await listed(test));
    await other.app.close();
  });

  it('stops where the table does not answer, and says from where to go on', async () => {
    let writes = 0;
    const broken = await createTestApp();
    const failing = await createTestApp({
      table: {
        put: async (...write) => {
          writes += 1;
          if (writes > 700) throw new TransientError('TABLE_UNAVAILABLE', 'account east01');
          return broken.table.put(...write);
        },
      },
    });
    const lines = Array.from({ length: 1_000 }, (_, index) => line(index + 1));
    const { last, text } = await importLines(lines.join('\n'), { app: failing.app });
    expect(last).toMatchObject({
      settledThrough: 700,
      written: 700,
      outcome: 'stopped',
      stoppedBy: 'store',
    });
    expect(text).not.toContain('east01');
    await Promise.all([broken.app.close(), failing.app.close()]);
  });

  it('stops after 1,000 failed lines, so that the report has an end', async () => {
    const { last, failures } = await importLines('{\n'.repeat(3_000));
    expect(failures).toHaveLength(1_000);
    expect(last).toMatchObject({
      settledThrough: 1_000,
      outcome: 'stopped',
      stoppedBy: 'failures',
    });
  });

  it('logs what failed unexpectedly, of which the report says nothing', async () => {
    const broken = await createTestApp({
      table: {
        put: async () => {
          throw new TypeError('no such thing');
        },
      },
    });
    const { failures, text } = await importLines(line(1), { app: broken.app });
    expect(failures).toMatchObject([{ line: 1, status: 500 }]);
    expect(text).not.toContain('no such thing');
    expect(broken.lines.filter(({ level }) => level === 'error')).toMatchObject([
      { event: 'request-failed', error: { message: 'no such thing' } },
    ]);
    await broken.app.close();
  });

  it('only creates where preconditions are demanded', async () => {
    const strict = await createTestApp({ isPreconditionRequired: true });
    await importLines(line(1), { app: strict.app });
    const { failures } = await importLines(`${line(1)}\n${line(2)}`, { app: strict.app });
    expect(failures).toMatchObject([
      { line: 1, problem: { type: '/problems/precondition-required' } },
    ]);
    await strict.app.close();
  });

  it.each([
    ['of another type', { payload: '[]', headers: { 'content-type': 'application/json' } }],
    ['that is packed', { payload: 'x', headers: { ...NDJSON, 'content-encoding': 'gzip' } }],
    ['that is missing', {}],
  ])('refuses a body %s', async (_name, request) => {
    const response = await test.app.inject({
      method: 'POST',
      url: '/customers/import',
      ...request,
    });
    expect(response.statusCode).toBe(415);
  });

  it.each(['0', '-1', '1e9', '1000000001', 'x'])(
    'refuses firstLine=%s, naming the limit',
    async (n) => {
      const response = await test.app.inject({
        method: 'POST',
        url: `/customers/import?firstLine=${n}`,
        payload: line(1),
        headers: NDJSON,
      });
      expect(response.statusCode).toBe(400);
      expect(response.json().errors[0].message).toContain('1000000000');
    },
  );
});
