import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { rowsKind, type TableRow, type TableStore } from '@tandem/core';
import { createMemoryTableStore } from '@tandem/core/memory';
import { createLogger } from '@tandem/service-kit';
import { AUDIENCE, startIssuer, type TestIssuer } from '@tandem/service-kit/testing';
import { createTokenVerifier } from '@tandem/service-kit/tokens';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type AppOptions, createApp, routeOf } from './app.ts';
import { styleOfHosts } from './create-service.ts';
import { createEndpoint, type EndpointOptions, TOKEN_SCOPES } from './endpoint.ts';
import { createRequestBodies } from './request-bodies.ts';
import type { ServedTables } from './served-tables.ts';
import { openLocalTables } from './testing/local-tables.ts';

const ACCOUNT = { account: 'shop', keys: [Buffer.alloc(32, 7).toString('base64')] } as const;
const MIB = 1_024 * 1_024;

const logger = createLogger({ service: 'table-endpoint', region: 'east', level: 'silent' });
let tables: ServedTables;
let issuer: TestIssuer;

beforeAll(async () => {
  [tables, issuer] = await Promise.all([openLocalTables(), startIssuer()]);
  await tables.create('Orders');
});

afterAll(async () => {
  await issuer.stop();
});

interface Served {
  readonly app: FastifyInstance;
  readonly origin: string;
  readonly port: number;
}

async function serve(
  own: Partial<EndpointOptions> = {},
  options: Partial<AppOptions> = {},
): Promise<Served> {
  let ids = 0;
  const endpoint = createEndpoint({
    tables,
    accounts: [ACCOUNT],
    styleOf: styleOfHosts([ACCOUNT]),
    nowMs: Date.now,
    newRequestId: () => `id-${(ids += 1)}`,
    onFailure: () => undefined,
    ...own,
  });
  const app = createApp({ endpoint, logger, ...options });
  const origin = await app.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => app.close());
  return { app, origin, port: Number(new URL(origin).port) };
}

/** Signs as SharedKeyLite; the service signs no body. */
function signed(path: string): Record<string, string> {
  const date = new Date().toUTCString();
  const text = `${date}\n/${ACCOUNT.account}${path}`;
  const key = Buffer.from(ACCOUNT.keys[0], 'base64');
  const signature = createHmac('sha256', key).update(text, 'utf8').digest('base64');
  return { 'x-ms-date': date, authorization: `SharedKeyLite ${ACCOUNT.account}:${signature}` };
}

/** Sends the head of a request that announces a body, and no body. */
async function answerToHead(port: number, headers: Readonly<Record<string, string>>) {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  const lines = Object.entries({ host: '127.0.0.1', ...headers });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.write(`POST /shop/Orders HTTP/1.1\r\n${head}\r\n`);
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  return chunk.toString('utf8');
}

const ENTITY = { 'content-type': 'application/json', 'content-length': String(MIB) };

describe('a sender who is not known', () => {
  it('is answered before any of the body has come, and so holds nothing', async () => {
    const { port } = await serve();
    expect(await answerToHead(port, ENTITY)).toMatch(/^HTTP\/1\.1 401 /);
    const forged = { ...signed('/shop/Orders'), authorization: 'SharedKeyLite shop:AAAA' };
    expect(await answerToHead(port, { ...ENTITY, ...forged })).toMatch(/^HTTP\/1\.1 403 /);
    const other = signed('/shop/Customers');
    expect(await answerToHead(port, { ...ENTITY, ...other })).toMatch(/^HTTP\/1\.1 403 /);
  });

  it('is refused by name where no account is configured, whatever he asks and signs', async () => {
    const { origin } = await serve({ accounts: [] });
    for (const [method, path] of [
      ['GET', '/shop/Tables'],
      ['POST', '/shop/Orders'],
      ['GET', '/devstoreaccount1/?restype=service&comp=properties'],
    ] as const) {
      const response = await fetch(`${origin}${path}`, { method, headers: signed(path) });
      expect(response.status).toBe(403);
      expect(await response.text()).toContain('set TABLE_ACCOUNTS');
    }
  });
});

describe('a query', () => {
  it('has the store send the rows and the columns that are wanted', async () => {
    const stored = createMemoryTableStore();
    const given: TableRow[] = [];
    const store: TableStore = {
      ...stored,
      async query(range) {
        const page = await stored.query(range);
        if (range.table === rowsKind.name) given.push(...page.rows);
        return page;
      },
    };
    const own = await openLocalTables({ store });
    await own.create('Orders');
    const orders = await own.find('Orders');
    for (const rowKey of ['1', '2', '3']) {
      const state = { type: 'String', value: rowKey === '2' ? 'open' : 'done' } as const;
      const note = { type: 'String', value: 'a note' } as const;
      const properties = new Map(Object.entries({ state, note }));
      const keys = { partitionKey: 'p', rowKey };
      const condition = { kind: 'none' } as const;
      await orders?.write([{ kind: 'replace', keys, properties, condition }], undefined);
    }
    const { origin } = await serve({ tables: own });
    const path = '/shop/Orders()';
    const asked = `${path}?$filter=${encodeURIComponent("state eq 'open'")}&$select=RowKey,state`;
    given.length = 0;
    const response = await fetch(`${origin}${asked}`, { headers: signed(path) });
    expect(await response.json()).toMatchObject({ value: [{ RowKey: '2', state: 'open' }] });
    expect(given.map(({ properties }) => [...properties.keys()])).toEqual([['state', '_t']]);
  });
});

describe('the bodies of all requests', () => {
  it('are refused with 503 beyond the bound, and by what they announce at once', async () => {
    const { port, origin } = await serve({}, { bodies: createRequestBodies(MIB + 1_000) });
    // It holds what it announced, and never sends it.
    const slow = connect(port, '127.0.0.1');
    onTestFinished(() => void slow.destroy());
    const lines = Object.entries({ host: 'h', ...ENTITY, ...signed('/shop/Orders') });
    slow.write(`POST /shop/Orders HTTP/1.1\r\n`);
    slow.write(`${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
    const insert = async (text: string): Promise<Response> =>
      fetch(`${origin}/shop/Orders`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...signed('/shop/Orders') },
        body: JSON.stringify({ PartitionKey: 'p', RowKey: crypto.randomUUID(), text }),
      });
    await expect.poll(async () => (await insert('a'.repeat(2_000))).status).toBe(503);
    const refused = await insert('a'.repeat(2_000));
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(await refused.text()).toContain('ServerBusy');
    expect((await insert('a')).status).toBe(201);
    slow.destroy();
    await expect.poll(async () => (await insert('a'.repeat(2_000))).status).toBe(201);
  });
});

function verifierOf({ issuer }: Awaited<ReturnType<typeof startIssuer>>) {
  return createTokenVerifier({
    issuer,
    audience: AUDIENCE,
    jwksUrl: undefined,
    tokenType: 'at+jwt',
    scopes: TOKEN_SCOPES,
  });
}

describe('an access token', () => {
  const ask = async (token: string, method: 'GET' | 'POST' | 'DELETE'): Promise<string> => {
    const { origin } = await serve({ verifyToken: verifierOf(issuer) });
    const path = method === 'DELETE' ? "/shop/Tables('None')" : '/shop/Orders';
    const response = await fetch(`${origin}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(method === 'POST' && {
        body: JSON.stringify({ PartitionKey: 'p', RowKey: crypto.randomUUID() }),
      }),
    });
    const body = await response.text();
    return `${response.status} ${/"code":"(\w+)"/.exec(body)?.[1] ?? ''}`.trim();
  };

  it.each([
    ['tables.read', '200', '403 AuthorizationPermissionMismatch'],
    ['tables.write', '200', '201'],
    ['tables.operate', '200', '201'],
    ['openid', '403 AuthorizationPermissionMismatch', '403 AuthorizationPermissionMismatch'],
  ])('with the scope %s reads (%s) and inserts (%s)', async (scope, read, inserted) => {
    const token = await issuer.sign({ scope });
    expect(await ask(token, 'GET')).toBe(read);
    expect(await ask(token, 'POST')).toBe(inserted);
  });

  it('is refused where it is not for this endpoint, or nobody takes tokens', async () => {
    const other = await issuer.sign({ scope: 'tables.operate', aud: 'api://other' });
    expect(await ask(other, 'GET')).toBe('403 AuthenticationFailed');
    expect(await ask('not a token', 'GET')).toBe('403 AuthenticationFailed');
    const { origin } = await serve();
    const authorization = `Bearer ${await issuer.sign({ scope: 'tables.operate' })}`;
    const response = await fetch(`${origin}/shop/Orders`, { headers: { authorization } });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain('set AUTH_ISSUER');
  });

  it.each([
    ['Audience validation failed. Audience did not match.', { aud: 'api://other' }],
    ['Issuer validation failed. Issuer did not match.', { iss: 'http://127.0.0.1/other' }],
    ['Lifetime validation failed. The token is expired.', { exp: 1 }],
  ])('is refused with the reason as the service says it: %s', async (sentence, claims) => {
    const token = await issuer.sign({ scope: 'tables.operate', ...claims });
    const { origin } = await serve({ verifyToken: verifierOf(issuer) });
    const headers = { authorization: `Bearer ${token}` };
    const response = await fetch(`${origin}/shop/Orders`, { headers });
    expect(response.status).toBe(403);
    expect(await response.text()).toContain(sentence);
  });
});

describe('an error below the level of tables', () => {
  it.each([
    ['/nobody/Tables', 404, 'ResourceNotFound'],
    ['/shop/None?comp=acl', 404, 'TableNotFound'],
  ])('is a document with its code in a header: %s', async (path, status, code) => {
    const { origin } = await serve();
    const response = await fetch(`${origin}${path}`, { headers: signed(path) });
    expect(response.status).toBe(status);
    expect(response.headers.get('x-ms-error-code')).toBe(code);
    expect(response.headers.get('content-type')).toBe('application/xml');
    expect(await response.text()).toContain(`<Error><Code>${code}</Code><Message>`);
  });
});

describe('the account', () => {
  it.each([
    ['shop.tables.example.com', { account: 'shop', isSecondary: false }],
    ['SHOP.tables.example.com:8443', { account: 'shop', isSecondary: false }],
    ['shop-secondary.tables.example.com', { account: 'shop', isSecondary: true }],
    ['tables.example.com', {}],
    ['shop', {}],
    ['localhost:7715', {}],
    ['127.0.0.1:7715', {}],
    ['[::1]:7715', {}],
  ])('is named by the host %s or by the path', (host, style) => {
    expect(styleOfHosts([ACCOUNT])(host)).toEqual(style);
  });
});

describe('what logs and metrics call an address', () => {
  it.each([
    ["/shop/Orders(PartitionKey='ada@example.com',RowKey='1')", '/{table}({row})'],
    ['/shop/Orders(PartitionKey=%27a%27,RowKey=%27b%27)?$select=x', '/{table}({row})'],
    ["/shop/Orders()?$filter=Name eq 'Ada'", '/{table}'],
    ['/shop/Orders', '/{table}'],
    ["/shop/Tables('Orders')", '/Tables'],
    ['/shop/$batch', '/$batch'],
    ['/shop/%24batch', '/$batch'],
    ['/shop/Orders?comp=acl', '/?comp'],
    ['/shop?restype=service&comp=properties', '/?comp'],
  ])('of %s is %s', (target, route) => {
    expect(routeOf(target)).toBe(route);
  });
});
