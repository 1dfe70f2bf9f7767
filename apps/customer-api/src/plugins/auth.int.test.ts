import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import Fastify from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestApp, type TestApp } from '../testing/create-test-app.ts';
import { type ApiTokenVerifier, authPlugin, SCOPES, type Scope } from './auth.ts';
import { problemsPlugin } from './problems.ts';

const seen: string[] = [];

/** Takes the token for a list of scopes, and `refused` for none. */
const reading: ApiTokenVerifier = async (token) => {
  seen.push(token);
  if (token === 'refused') return { kind: 'refused', reason: 'expired' };
  const scopes = new Set(SCOPES.filter((one: Scope) => token.split('+').includes(one)));
  return { kind: 'caller', caller: { subject: 'ada', scopes } };
};

let test: TestApp;

beforeAll(async () => {
  test = await createTestApp({ verifyToken: reading });
});

afterAll(() => test.app.close());

const read = async (authorization?: string) => {
  const headers = authorization === undefined ? {} : { authorization };
  const {
    statusCode,
    json,
    headers: answered,
  } = await test.app.inject({ url: '/customers', headers });
  return { statusCode, type: json().type, asks: answered['www-authenticate'] };
};

describe('the Authorization header', () => {
  it.each([
    'Bearer customers.read',
    'bearer customers.read',
    'Bearer   customers.read',
    'Bearer customers.read+customers.write',
    'Bearer customers.read+a-b._~/9==',
  ])('is taken as "%s"', async (header) => {
    expect(await read(header)).toMatchObject({ statusCode: 200 });
    expect(seen.at(-1)).toBe(header.replace(/^bearer +/i, ''));
  });

  it.each([
    'customers.read',
    'Bearercustomers.read',
    'Basic Bearer customers.read',
    'Bearer customers.read customers.read',
    'Bearer customers.read,',
    'Bearer =customers.read',
    'Bearer customers.read=a',
    'Bearer =',
    'Bearer refused',
  ])('is refused as "%s"', async (header) => {
    expect(await read(header)).toEqual({
      statusCode: 401,
      type: '/problems/token-invalid',
      asks: 'Bearer realm="tandem", error="invalid_token"',
    });
  });

  it('is asked for, and not for probes', async () => {
    const asks = 'Bearer realm="tandem"';
    expect(await read()).toEqual({ statusCode: 401, type: '/problems/token-missing', asks });
    expect((await test.app.inject({ url: '/health/live' })).statusCode).toBe(200);
  });

  it('is refused with the scope that is missing', async () => {
    expect(await read('Bearer customers.write')).toEqual({
      statusCode: 403,
      type: '/problems/scope-missing',
      asks: 'Bearer realm="tandem", error="insufficient_scope", scope="customers.read"',
    });
  });

  it('C7: is refused when there are two, whichever of them is good', async () => {
    await test.app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = test.app.server.address() as AddressInfo;
    const good = 'Bearer customers.read';
    const askWith = async (values: readonly string[]): Promise<IncomingMessage> => {
      // A value like the name of the header is no header.
      const headers = ['host', 'a', 'x-header', 'authorization'];
      for (const value of values) headers.push('Authorization', value);
      const [answer] = (await once(
        request({ port, path: '/customers', headers }).end(),
        'response',
      )) as [IncomingMessage];
      return answer.resume();
    };
    for (const values of [
      [good, good],
      [good, 'Bearer refused'],
      ['Basic YWRhOmFkYQ==', good],
    ]) {
      const answer = await askWith(values);
      expect(answer.statusCode).toBe(400);
      expect(answer.headers['www-authenticate']).toBe(
        'Bearer realm="tandem", error="invalid_request"',
      );
    }
    expect((await askWith([good])).statusCode).toBe(200);
  });
});

describe('a route', () => {
  const start = async (schema: object, verify: ApiTokenVerifier | 'none' = reading) => {
    const app = Fastify();
    await app.register(problemsPlugin);
    await app.register(authPlugin, { verifyToken: verify === 'none' ? undefined : verify });
    app.get('/', { schema }, async ({ caller }) => ({ subject: caller?.subject ?? 'anyone' }));
    await app.ready();
    return app;
  };

  it('does not start when it says nothing of who may ask it', async () => {
    await expect(start({})).rejects.toThrow('the route GET / states no scope');
    await expect(start({ hide: false })).rejects.toThrow('states no scope');
  });

  it('does not start with a scope that there is not, which would leave it open', async () => {
    for (const requirement of [{ bearer: ['customers.reed'] }, { bearer: [] }, { basic: [] }]) {
      await expect(start({ security: [requirement] })).rejects.toThrow('states no scope');
    }
  });

  it('starts for anyone when it says so, or is no part of the document', async () => {
    for (const schema of [{ security: [] }, { hide: true }]) {
      const app = await start(schema);
      expect((await app.inject('/')).json()).toEqual({ subject: 'anyone' });
      await app.close();
    }
  });

  it('is told who asks it, where tokens are asked for', async () => {
    const schema = { security: [{ bearer: ['customers.read'] }] };
    const headers = { authorization: 'Bearer customers.read' };
    const guarded = await start(schema);
    expect((await guarded.inject({ url: '/', headers })).json()).toEqual({ subject: 'ada' });
    await guarded.close();
    const open = await start(schema, 'none');
    expect((await open.inject({ url: '/', headers })).json()).toEqual({ subject: 'anyone' });
    await open.close();
  });
});
