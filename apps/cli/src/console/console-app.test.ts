import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { openConsole, removeConsoles } from '../testing/open-console.ts';

afterAll(removeConsoles);

const HOST = { host: '127.0.0.1:7799' };
const FORM = { ...HOST, 'content-type': 'application/x-www-form-urlencoded' };

describe('who has not entered', () => {
  test.each(['/', '/?x=1'])('is sent to the entrance from %s', async (url) => {
    const { app } = await openConsole();
    const { statusCode, headers, body } = await app.inject({ url, headers: HOST });
    expect({ statusCode, location: headers.location }).toEqual({
      statusCode: 303,
      location: '/enter',
    });
    expect(body).not.toContain('east');
  });

  test.each([
    ['/%zz', 400],
    ['/nowhere', 404],
  ])('is told on a page that there is no %s', async (url, status) => {
    const { app } = await openConsole();
    const { statusCode, headers, body } = await app.inject({ url, headers: HOST });
    expect({ statusCode, type: headers['content-type'] }).toEqual({
      statusCode: status,
      type: 'text/html; charset=utf-8',
    });
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(body).toContain('<h1>There is no such page</h1>');
    const foreign = await app.inject({ url, headers: { host: 'evil.example' } });
    expect(foreign.statusCode).toBe(403);
  });

  test('is told no figures', async () => {
    const { app } = await openConsole();
    expect((await app.inject({ url: '/plots.json', headers: HOST })).statusCode).toBe(401);
  });

  test('enters once with a code, and nobody else with the same', async () => {
    const { app, access, opened } = await openConsole();
    const code = access.code();
    const enter = () =>
      app.inject({ method: 'POST', url: '/enter', headers: FORM, payload: `code=${code}` });
    const first = await enter();
    expect(first.statusCode).toBe(303);
    expect(first.headers['set-cookie']).toMatch(
      /^tandem-console-\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/,
    );
    expect((await enter()).statusCode).toBe(403);
    expect(opened()).toBe(1);
    expect(access.code()).not.toBe(code);
  });

  test.each(['', 'code=', 'code=wrong', 'x=1'])('does not enter with %j', async (payload) => {
    const { app, opened } = await openConsole();
    const { statusCode, headers } = await app.inject({
      method: 'POST',
      url: '/enter',
      headers: FORM,
      payload,
    });
    expect({ statusCode, cookie: headers['set-cookie'], opened: opened() }).toEqual({
      statusCode: 403,
      cookie: undefined,
      opened: 0,
    });
  });

  test('has left after twelve hours without a question', async () => {
    const { app, enter, clock } = await openConsole();
    const headers = await enter();
    await clock.advance(11 * 3_600_000);
    expect((await app.inject({ url: '/', headers })).statusCode).toBe(200);
    await clock.advance(12 * 3_600_000 + 1);
    expect((await app.inject({ url: '/', headers })).statusCode).toBe(303);
  });
});

describe('G1: every request', () => {
  test.each([
    ['of another name', { host: 'evil.example' }],
    ['of another name that ends alike', { host: '127.0.0.1.evil.example' }],
    ['of a page of another site', { ...HOST, origin: 'http://evil.example' }],
    ['of another port of this machine', { ...HOST, origin: 'http://127.0.0.1:9999' }],
    ['of a page of the same site', { ...HOST, 'sec-fetch-site': 'same-site' }],
  ])('%s is refused before anything is looked at', async (_, other) => {
    const { app, enter } = await openConsole();
    const { cookie } = await enter();
    for (const url of ['/', '/enter', '/assets/console.js', '/plots.json']) {
      const { statusCode } = await app.inject({ url, headers: { ...other, cookie } });
      expect({ url, statusCode }).toEqual({ url, statusCode: 403 });
    }
  });

  test('is answered with a policy without exceptions, and is kept by nobody', async () => {
    const { app, enter } = await openConsole();
    const { headers } = await app.inject({ url: '/', headers: await enter() });
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain('unsafe');
    expect(policy).not.toContain('http');
    expect(headers['cache-control']).toBe('no-store');
    expect(headers['x-content-type-options']).toBe('nosniff');
  });
});

test('all that a browser loads besides a page is at most 150 KiB, compressed', async () => {
  const { app, enter } = await openConsole();
  const headers = await enter();
  const { body } = await app.inject({ url: '/', headers });
  const script = (await app.inject({ url: '/assets/console.js', headers })).body;
  const named = `${body}${script}`.matchAll(/["'](\/assets\/[\w.-]+)["']/g);
  const urls = [...new Set([...named].map(([, url = '']) => url))];
  // The script asks for the plots by itself.
  expect(urls).toContain('/assets/uplot.js');
  const sizes = await Promise.all(
    urls.map(async (url) => {
      const { statusCode, rawPayload } = await app.inject({ url, headers });
      expect({ url, statusCode }).toEqual({ url, statusCode: 200 });
      return gzipSync(rawPayload).length;
    }),
  );
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(150 * 1024);
});

describe('a form', () => {
  test('does nothing without the token of this visit', async () => {
    const { app, enter } = await openConsole();
    const mine = await enter();
    const theirs = await enter();
    const leave = (headers: typeof mine, formToken: string) =>
      app.inject({
        method: 'POST',
        url: '/leave',
        headers: { ...FORM, ...headers },
        payload: `formToken=${formToken}`,
      });
    const { body } = await app.inject({ url: '/', headers: theirs });
    const token = /name="formToken" value="([^"]+)"/.exec(body)?.[1] ?? '';
    for (const formToken of ['', 'x', token]) {
      expect((await leave(mine, formToken)).statusCode).toBe(403);
    }
    expect((await app.inject({ url: '/', headers: mine })).statusCode).toBe(200);
    expect((await leave(theirs, token)).statusCode).toBe(303);
    expect((await app.inject({ url: '/', headers: theirs })).statusCode).toBe(303);
  });
});
