import { AUDIENCE, startIssuer, type TestIssuer } from '@tandem/service-kit/testing';
import { createTokenVerifier } from '@tandem/service-kit/tokens';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp } from '../testing/create-test-app.ts';
import { SCOPES, type Scope, scopeOf } from './auth.ts';

interface Route {
  readonly method: string;
  readonly path: string;
  readonly scope: Scope | undefined;
}

const ID = '4f1c9d0e-6a53-4b3e-9f0a-2f6b0c1d7e88';
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

let issuer: TestIssuer;
let other: TestIssuer;
let test: TestApp;
let routes: readonly Route[];

beforeAll(async () => {
  [issuer, other] = await Promise.all([startIssuer(), startIssuer()]);
  const verifyToken = createTokenVerifier({
    issuer: issuer.issuer,
    audience: AUDIENCE,
    jwksUrl: undefined,
    tokenType: 'at+jwt',
    scopes: SCOPES,
  });
  test = await createTestApp({ verifyToken });
  const { paths } = (await test.app.inject({ url: '/openapi.json' })).json();
  routes = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations as Record<string, { security: [] }>).map(
      ([method, { security }]) => ({
        method: method.toUpperCase(),
        path,
        scope: scopeOf(security),
      }),
    ),
  );
});

afterAll(async () => {
  await Promise.all([test.app.close(), issuer.stop(), other.stop()]);
});

const nowS = (): number => Math.floor(Date.now() / 1_000);
const ALL = SCOPES.join(' ');

function unsigned(): string {
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
  const claims = { iss: issuer.issuer, aud: AUDIENCE, sub: 'ada', scope: ALL, exp: nowS() + 300 };
  return `${encode({ alg: 'none' })}.${encode(claims)}.`;
}

async function signedWithSecret(): Promise<string> {
  const claims = { iss: issuer.issuer, aud: AUDIENCE, sub: 'ada', scope: ALL, exp: nowS() + 300 };
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256', kid: 'key-0' })
    .sign(new TextEncoder().encode('a secret of no one that is long enough'));
}

/** What each case sends for a route, and the status that a guarded route answers it with. */
const CASES: readonly {
  readonly name: string;
  readonly status: 401 | 403 | undefined;
  readonly header: (scope: Scope) => Promise<string | undefined>;
}[] = [
  { name: 'none', status: 401, header: async () => undefined },
  { name: 'garbage', status: 401, header: async () => 'Bearer abc' },
  { name: 'Basic', status: 401, header: async () => 'Basic YWRhOmFkYQ==' },
  {
    name: 'wrong key',
    status: 401,
    header: async () => `Bearer ${await other.sign({ iss: issuer.issuer, scope: ALL })}`,
  },
  {
    name: 'expired',
    status: 401,
    header: async () => `Bearer ${await issuer.sign({ scope: ALL, exp: nowS() - 61 })}`,
  },
  {
    name: 'not yet',
    status: 401,
    header: async () => `Bearer ${await issuer.sign({ scope: ALL, nbf: nowS() + 120 })}`,
  },
  {
    name: 'wrong audience',
    status: 401,
    header: async () => `Bearer ${await issuer.sign({ scope: ALL, aud: 'api://other' })}`,
  },
  {
    name: 'other issuer',
    status: 401,
    header: async () => `Bearer ${await other.sign({ scope: ALL })}`,
  },
  { name: 'alg:none', status: 401, header: async () => `Bearer ${unsigned()}` },
  { name: 'HS256', status: 401, header: async () => `Bearer ${await signedWithSecret()}` },
  {
    name: 'too little',
    status: 403,
    header: async (scope) => {
      const rest = SCOPES.filter((one) => one !== scope).join(' ');
      return `Bearer ${await issuer.sign({ scope: rest })}`;
    },
  },
  {
    name: 'enough',
    status: undefined,
    header: async (scope) => `Bearer ${await issuer.sign({ scope })}`,
  },
  {
    name: 'enough (scp)',
    status: undefined,
    header: async (scope) => `Bearer ${await issuer.sign({ scp: `openid ${scope}` })}`,
  },
  {
    name: 'enough (roles)',
    status: undefined,
    header: async (scope) => `Bearer ${await issuer.sign({ roles: [scope] })}`,
  },
];

const ADA = { email: 'ada@example.com' };
const IMPORT = '/customers/import';

/** What each route takes, so that a token with enough is seen to do its work. */
function bodyOf(path: string): object | string {
  if (path === '/customers/batch') return { operations: [{ create: { customer: ADA } }] };
  return path === IMPORT ? JSON.stringify({ customerId: ID, ...ADA }) : ADA;
}

async function statusOf(route: Route, header: string | undefined): Promise<number> {
  const method = METHODS.find((one) => one === route.method) ?? 'GET';
  const { statusCode } = await test.app.inject({
    method,
    url: route.path.replace('{customerId}', ID).replace('{code}', 'internal-error'),
    headers: {
      ...(header === undefined ? {} : { authorization: header }),
      ...(route.path === IMPORT ? { 'content-type': 'application/x-ndjson' } : {}),
    },
    ...(method === 'POST' || method === 'PUT' ? { payload: bodyOf(route.path) } : {}),
    ...(method === 'PATCH' ? { payload: {} } : {}),
  });
  return statusCode;
}

describe('every route and every kind of token', () => {
  it('guards all routes but those of probes and problem types', () => {
    const open = routes.filter(({ scope }) => scope === undefined).map(({ path }) => path);
    expect(open.sort()).toEqual([
      '/health',
      '/health/live',
      '/health/ready',
      '/health/serving',
      '/problems/{code}',
    ]);
  });

  it('are answered as the document says', async () => {
    const table: string[] = [];
    for (const route of routes) {
      for (const { name, status, header } of CASES) {
        const scope = route.scope ?? 'customers.read';
        const given = await statusOf(route, await header(scope));
        const expected = route.scope === undefined ? undefined : status;
        const isRight =
          expected === undefined ? given !== 401 && given !== 403 : given === expected;
        const verdict = isRight ? 'ok' : `WRONG, expected ${expected ?? 'no refusal'}`;
        const line = `${route.method} ${route.path}`.padEnd(42) + name.padEnd(16);
        table.push(`${line}${given} ${verdict}`);
      }
    }
    process.stdout.write(`${table.join('\n')}\n`);
    expect(table.filter((line) => line.includes('WRONG'))).toEqual([]);
    expect(table.length).toBe(routes.length * CASES.length);
  });

  it('tells in the header what is missing, and nothing about the token', async () => {
    const url = `/customers/${ID}`;
    const none = await test.app.inject({ url });
    expect(none.headers['www-authenticate']).toBe('Bearer realm="tandem"');
    const authorization = `Bearer ${await issuer.sign({ scope: 'customers.write' })}`;
    const little = await test.app.inject({ url, headers: { authorization } });
    expect(little.headers['www-authenticate']).toBe(
      'Bearer realm="tandem", error="insufficient_scope", scope="customers.read"',
    );
    expect(little.json().type).toBe('/problems/scope-missing');
  });

  it('keeps the keys of one caller from those of another', async () => {
    const create = async (sub: string): Promise<string> => {
      const authorization = `Bearer ${await issuer.sign({ scope: ALL, sub })}`;
      const headers = { authorization, 'idempotency-key': 'same' };
      const payload = { email: `${sub}@example.com` };
      const response = await test.app.inject({
        method: 'POST',
        url: '/customers',
        payload,
        headers,
      });
      expect(response.statusCode).toBe(201);
      return response.json().customerId;
    };
    expect(await create('ada')).not.toBe(await create('bob'));
    expect(await create('ada')).toBe(await create('ada'));
  });
});
