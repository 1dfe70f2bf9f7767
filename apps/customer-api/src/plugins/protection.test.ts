import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createTestApp } from '../testing/create-test-app.ts';
import { type ApiTokenVerifier, SCOPES } from './auth.ts';

const PER_MINUTE = 3;

/** Takes the token for the name of its caller. */
const trusting: ApiTokenVerifier = async (subject) => ({
  kind: 'caller',
  caller: { subject, scopes: new Set(SCOPES) },
});

interface OperationAnswers {
  readonly responses: Readonly<Record<string, { readonly headers?: object }>>;
}

describe('the rate limit', () => {
  it('answers 429 with standard headers beyond it, to that caller alone, and not on probes', async () => {
    const { app } = await createTestApp({
      verifyToken: trusting,
      requestsPerMinuteMax: PER_MINUTE,
    });
    const read = (caller: string, url = '/customers') =>
      app.inject({ url, headers: { authorization: `Bearer ${caller}` } });
    for (let left = PER_MINUTE - 1; left >= 0; left -= 1) {
      const response = await read('ada');
      expect(response.statusCode).toBe(200);
      expect(response.headers).toMatchObject({
        'ratelimit-limit': String(PER_MINUTE),
        'ratelimit-remaining': String(left),
      });
    }
    const refused = await read('ada');
    expect(refused.statusCode).toBe(429);
    expect(refused.json().type).toBe('/problems/rate-limited');
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect((await read('bob')).statusCode).toBe(200);
    expect((await read('ada', '/health/ready')).statusCode).toBe(200);
    await app.close();
  });

  it('is declared on every answer of a route that it guards, and on no other', async () => {
    const { app } = await createTestApp();
    const { paths } = (await app.inject({ url: '/openapi.json' })).json();
    const declared = (path: string) =>
      Object.values<OperationAnswers>(paths[path]).flatMap(({ responses }) =>
        Object.values(responses).map(({ headers }) => 'ratelimit-remaining' in (headers ?? {})),
      );
    expect(new Set(declared('/customers/{customerId}'))).toEqual(new Set([true]));
    expect(new Set(declared('/health/ready'))).toEqual(new Set([false]));
    await app.close();
  });

  it('counts nobody where no token is asked for', async () => {
    const { app } = await createTestApp({ requestsPerMinuteMax: 1 });
    for (let index = 0; index < 5; index += 1) {
      expect((await app.inject({ url: '/customers' })).statusCode).toBe(200);
    }
    await app.close();
  });
});

describe('load shedding', () => {
  it('answers 503 with Retry-After while the event loop is late, but for probes', async () => {
    const { app } = await createTestApp({ eventLoopDelayMsMax: 1_000 });
    await app.ready();
    const statuses = async () => [
      await app.inject({ url: '/customers' }),
      await app.inject({ url: '/health/live' }),
    ];
    // Nothing answers while the thread is held, as it is by too much work.
    const deadline = Date.now() + 20_000;
    let [read, live] = await statuses();
    while (read?.statusCode === 200 && Date.now() < deadline) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_500);
      // The delay is measured by timers, and so by a turn of the loop.
      await setTimeout(1);
      [read, live] = await statuses();
    }
    expect(read?.statusCode).toBe(503);
    expect(read?.json().type).toBe('/problems/overloaded');
    expect(read?.headers['retry-after']).toBe('2');
    expect(live?.statusCode).toBe(200);
    await app.close();
  });
});

describe('security headers', () => {
  it.each(['/customers', '/docs', '/nothing'])('are on %s, and CORS stays closed', async (url) => {
    const { app } = await createTestApp();
    const headers = { origin: 'https://elsewhere.example' };
    const response = await app.inject({ url, headers });
    expect(response.headers['x-content-type-options']).toBe('nosniff');
    expect(response.headers['content-security-policy']).toContain("default-src 'none'");
    expect(response.headers).not.toHaveProperty('access-control-allow-origin');
    await app.close();
  });
});
