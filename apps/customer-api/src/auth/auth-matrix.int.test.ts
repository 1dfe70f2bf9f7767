import { SignJWT } from 'jose';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp } from '../testing/create-test-app.ts';
import { AUDIENCE, type Claims, startIssuer, type TestIssuer } from '../testing/start-issuer.ts';
import { type Scope, scopeOf, SCOPES } from './scopes.ts';
import { type AuthSettings, createTokenVerifier, type TokenType } from './token-verifier.ts';

interface Route {
  readonly method: string;
  readonly path: string;
  readonly scope: Scope | undefined;
}

const ID = '4f1c9d0e-6a53-4b3e-9f0a-2f6b0c1d7e88';
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

function settingsOf({ issuer: name }: TestIssuer, tokenType: TokenType = 'at+jwt'): AuthSettings {
  return { issuer: name, audience: AUDIENCE, jwksUrl: undefined, tokenType };
}

let issuer: TestIssuer;
let other: TestIssuer;
let test: TestApp;
let routes: readonly Route[];

beforeAll(async () => {
  [issuer, other] = await Promise.all([startIssuer(), startIssuer()]);
  const settings = settingsOf(issuer);
  test = await createTestApp({ verifyToken: createTokenVerifier(settings) });
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

  it('C7: refuses two Authorization headers, whichever of them is good', async () => {
    await test.app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = test.app.server.address() as AddressInfo;
    const good = `Bearer ${await issuer.sign({ scope: ALL })}`;
    for (const values of [
      [good, good],
      [good, 'Bearer abc'],
      ['Basic YWRhOmFkYQ==', good],
    ]) {
      const authorization = values.flatMap((value) => ['authorization', value]);
      const sent = request({
        port,
        path: `/customers/${ID}`,
        headers: ['host', 'a', ...authorization],
      }).end();
      const [answer] = (await once(sent, 'response')) as [IncomingMessage];
      answer.resume();
      expect(answer.statusCode).toBe(400);
      expect(answer.headers['www-authenticate']).toContain('error="invalid_request"');
    }
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

/** Signed by the right key, and right but for the one thing that each names. */
const CLAIMS: readonly (readonly [name: string, claims: Claims, header?: Claims | undefined])[] = [
  ['the name of another issuer', { iss: 'https://issuer.example' }],
  ['the name of the issuer with a slash', { iss: 'http://127.0.0.1/' }],
  ['no issuer', { iss: undefined }],
  ['a list of issuers', { iss: ['https://issuer.example'] }],
  ['no audience', { aud: undefined }],
  ['an audience that begins like ours', { aud: `${AUDIENCE}-admin` }],
  ['a list of other audiences', { aud: ['api://other', AUDIENCE.toUpperCase()] }],
  ['no end', { exp: undefined }],
  ['an end that is a text', { exp: '9999999999' }],
  ['no end, but null', { exp: null }],
  ['no subject', { sub: undefined }],
  ['an empty subject', { sub: '' }],
  ['a number for a subject', { sub: 42 }],
  ['a list for a subject', { sub: ['ada'] }],
  ['a subject with a line break', { sub: 'ada\nsame' }],
  ['a subject without an end', { sub: 'a'.repeat(256) }],
  ['half a surrogate pair for a subject', { sub: '\ud800' }],
  ['a list for a scope', { scope: SCOPES }],
  ['a nested list for a scope', { scope: [[...SCOPES]] }],
  ['an object for a scope', { scope: { 'customers.read': true } }],
  ['a nested list for scp', { scp: [[...SCOPES]] }],
  ['a nested list for roles', { roles: [[...SCOPES], 'customers.read'] }],
  ['a number for roles', { roles: 1 }],
  ['the type of a logout token', {}, { typ: 'logout+jwt' }],
  ['the type of a DPoP proof', {}, { typ: 'dpop+jwt' }],
  ['the type of a security event', {}, { typ: 'application/secevent+jwt' }],
  ['a type that begins like ours', {}, { typ: 'at+jwt2' }],
];

/** As ID tokens and logout tokens of issuers that name no type. */
const FOREIGN: typeof CLAIMS = [
  ['a nonce', { nonce: 'n-0S6_WzA2Mj' }],
  ['the hash of an access token', { at_hash: '77QmUPtjPfzWtF2AnpK9RQ' }],
  ['the hash of a code', { c_hash: 'LDktKdoQak3Pk0cnXxCltA' }],
  ['an event', { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } }],
  ['the method of a proof', { htm: 'GET', htu: 'http://127.0.0.1/customers' }],
];

describe('C7: a token that the right key has signed', () => {
  const verdictOf = async (
    [, claims, header]: (typeof CLAIMS)[number],
    tokenType: TokenType = 'at+jwt',
  ): Promise<string> => {
    const token = await issuer.sign({ scope: ALL, ...claims }, header);
    return (await createTokenVerifier(settingsOf(issuer, tokenType))(token)).kind;
  };

  it('is taken as it is', async () => {
    for (const typ of ['at+jwt', 'application/at+jwt', 'AT+JWT']) {
      expect(await verdictOf(['', {}, { typ }])).toBe('caller');
      expect(await verdictOf(['', { aud: ['api://other', AUDIENCE] }, { typ }])).toBe('caller');
      expect(await verdictOf(['', {}, { typ }], 'jwt')).toBe('caller');
    }
  });

  const cases = CLAIMS.map(([name, claims, header]) => ({ name, claims, header }));
  it.each(cases)('is refused with $name', async ({ name, claims, header }) => {
    expect(await verdictOf([name, claims, header])).toBe('refused');
    expect(await verdictOf([name, claims, header], 'jwt')).toBe('refused');
  });

  it.each([undefined, 'JWT', 'application/jwt'])(
    'is refused with the type %s, unless the issuer knows no better',
    async (typ) => {
      expect(await verdictOf(['', {}, { typ }])).toBe('refused');
      expect(await verdictOf(['', {}, { typ }], 'jwt')).toBe('caller');
      for (const [name, claims] of FOREIGN) {
        expect(await verdictOf([name, claims, { typ }], 'jwt')).toBe('refused');
      }
    },
  );

  it.each([
    ['customers.readonly', []],
    ['customers.read.all customers.writes', []],
    ['xcustomers.read', []],
    ['Customers.Read', []],
    ['customers.read,customers.write', []],
    ['openid customers.read', ['customers.read']],
  ])('has of the scope "%s" no more than what it says', async (scope, scopes) => {
    const verify = createTokenVerifier(settingsOf(issuer));
    const granted = { kind: 'caller', caller: { subject: 'ada', scopes: new Set(scopes) } };
    for (const claims of [{ scope }, { scp: scope }, { scp: [scope] }, { roles: [scope] }]) {
      const isListed = Object.values(claims).some((value) => Array.isArray(value));
      const expected = isListed ? { kind: 'caller' } : granted;
      const verdict = await verify(await issuer.sign(claims));
      expect(verdict).toMatchObject(expected);
      if (!isListed || verdict.kind !== 'caller') continue;
      expect([...verdict.caller.scopes]).toEqual(SCOPES.filter((one) => one === scope));
    }
  });
});

describe('the keys of the issuer', () => {
  it('G5: are asked for at once after a rotation, once for what is forged, and 503 says that they cannot be', async () => {
    const lonely = await startIssuer();
    const settings = settingsOf(lonely);
    const verify = createTokenVerifier(settings);
    expect(await verify(await lonely.sign())).toMatchObject({ kind: 'caller' });
    await lonely.rotate();
    const rotated = await lonely.sign();
    expect(await verify(rotated)).toMatchObject({ kind: 'caller' });
    expect(lonely.keyRequests()).toBe(2);
    for (let index = 0; index < 20; index += 1) {
      const unknown = await lonely.sign({}, { kid: 'nobody' });
      expect(await verify(unknown)).toEqual({ kind: 'refused' });
    }
    expect(lonely.keyRequests()).toBe(3);
    const token = await lonely.sign();
    await lonely.stop();
    await expect(createTokenVerifier(settings)(token)).rejects.toMatchObject({
      code: 'service-unavailable',
    });
  });

  it('are read by a process that starts after a rotation', async () => {
    await issuer.rotate();
    const settings = { ...settingsOf(issuer), jwksUrl: `${issuer.issuer}/keys` };
    expect(await createTokenVerifier(settings)(await issuer.sign())).toMatchObject({
      kind: 'caller',
      caller: { subject: 'ada', scopes: new Set() },
    });
  });
});
