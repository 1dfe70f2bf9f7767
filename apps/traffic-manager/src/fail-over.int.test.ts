import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createSlowResolver } from './testing/slow-resolver.ts';
import { startApp } from './testing/start-app.ts';
import { startEndpoint } from './testing/start-endpoint.ts';

const answeredBy = async (url: string): Promise<string | null> => {
  const response = await fetch(`${url}/customers`);
  await response.text();
  return response.headers.get('x-tandem-endpoint');
};

describe('in front of two regions, two tolerated failures', () => {
  it('sends traffic to the first until it has failed three probes in a row', async () => {
    const [east, west] = [await startEndpoint('east'), await startEndpoint('west')];
    const app = await startApp([east, west]);
    await app.untilState('east', 'online');
    expect(await answeredBy(app.url)).toBe('east');

    east.setHealth(503);
    const { endpoints, transitions } = await app.untilCurrent('west');
    expect(endpoints[0]).toMatchObject({
      state: 'degraded',
      lastProbe: { ok: false, status: 503 },
    });
    expect(endpoints[0]?.consecutiveFailures).toBeGreaterThanOrEqual(3);
    expect(transitions.at(-1)).toMatchObject({ endpoint: 'east', to: 'degraded', current: 'west' });
    expect(await answeredBy(app.url)).toBe('west');
  });

  it('fails back on the first healthy probe', async () => {
    const [east, west] = [await startEndpoint('east'), await startEndpoint('west')];
    const app = await startApp([east, west]);
    await app.untilState('west', 'online');
    east.setHealth(503);
    await app.untilCurrent('west');
    east.setHealth(200);
    const { endpoints } = await app.untilCurrent('east');
    expect(endpoints[0]).toMatchObject({ state: 'online', consecutiveFailures: 0 });
    expect(await answeredBy(app.url)).toBe('east');
  });

  it('fails over when the region is dead and back when it listens again', async () => {
    const [east, west] = [await startEndpoint('east'), await startEndpoint('west')];
    const app = await startApp([east, west]);
    await app.untilState('east', 'online');
    await east.kill();
    const { endpoints } = await app.untilCurrent('west');
    expect(endpoints[0]?.lastProbe).toMatchObject({
      ok: false,
      error: expect.stringContaining('ECONN'),
    });
    await east.listen();
    await app.untilCurrent('east');
    expect(await answeredBy(app.url)).toBe('east');
  });

  it('treats all as online when all are degraded, so the first gets traffic', async () => {
    const [east, west] = [await startEndpoint('east'), await startEndpoint('west')];
    const app = await startApp([east, west]);
    east.setHealth(503);
    await app.untilCurrent('west');
    west.setHealth(503);
    const status = await app.untilState('west', 'degraded');
    expect(status).toMatchObject({ current: 'east', decision: 'all-degraded' });
    expect(await answeredBy(app.url)).toBe('east');
  });

  it.each([204, 206, 302, 404, 500])(
    'counts a probe that is answered %i as failed',
    async (code) => {
      const [east, west] = [await startEndpoint('east'), await startEndpoint('west')];
      east.setHealth(code);
      const app = await startApp([east, west]);
      const { endpoints } = await app.untilCurrent('west');
      expect(endpoints[0]?.lastProbe).toMatchObject({ ok: false, status: code });
      expect(east.requests).toHaveLength(0);
    },
  );

  it('counts a probe that is not answered in time as failed', async () => {
    const [east, west] = [await startEndpoint('east'), await startEndpoint('west')];
    east.setHealth('silent');
    const app = await startApp([east, west], { timeoutMs: 100 });
    const { endpoints } = await app.untilState('east', 'degraded');
    expect(endpoints[0]?.lastProbe).toMatchObject({
      ok: false,
      error: 'no answer within 100 ms',
    });
  });
});

describe('an endpoint whose name is gone', () => {
  it('does not take the others with it, however many requests ask for its name', async () => {
    const west = await startEndpoint('west');
    const { port } = new URL(west.url);
    const endpoints = [
      { name: 'east', url: `http://east.test:${port}` },
      { name: 'west', url: `http://west.test:${port}` },
    ];
    // Were each request to ask for the name, the questions would hold up the probes for forty seconds.
    const probing = { intervalMs: 100, timeoutMs: 5_000 };
    const app = await startApp(endpoints, probing, createSlowResolver(['west.test']));
    await app.untilState('west', 'online');
    const statuses = await Promise.all(
      Array.from({ length: 400 }, async () => (await fetch(`${app.url}/customers`)).status),
    );
    expect(statuses.filter((status) => status !== 200 && status !== 502)).toEqual([]);
    const probesThen = west.probeCount();
    await expect.poll(() => west.probeCount()).toBeGreaterThan(probesThen + 3);
    const { transitions, current } = await app.untilState('east', 'degraded');
    expect(transitions.filter(({ endpoint }) => endpoint === 'west')).toMatchObject([
      { to: 'online' },
    ]);
    expect(current).toBe('west');
  });
});

describe('a client that remembers where it was sent', () => {
  it('goes on using an endpoint that was disabled until its TTL is over', async () => {
    const [east, west] = [await startEndpoint('east'), await startEndpoint('west')];
    const app = await startApp([east, west], { ttlMs: 1_500 });
    await app.untilState('east', 'online');
    const firstAskedMs = performance.now();
    expect(await answeredBy(app.url)).toBe('east');
    await app.switchEndpoint('east', 'disable');
    expect(await app.status()).toMatchObject({ current: 'west' });
    await expect.poll(() => answeredBy(app.url), { interval: 20 }).toBe('west');
    expect(performance.now() - firstAskedMs).toBeGreaterThanOrEqual(1_500);
    expect(await app.status()).toMatchObject({ probing: { ttlMs: 1_500 } });
  });

  it('has left a dead region no sooner than its probes can tell', async () => {
    const [east, west] = [await startEndpoint('east'), await startEndpoint('west')];
    const probing = { intervalMs: 200, toleratedFailures: 2, ttlMs: 200 };
    const app = await startApp([east, west], probing);
    await app.untilState('east', 'online');
    expect(await answeredBy(app.url)).toBe('east');
    await east.kill();
    const deadMs = performance.now();
    await expect.poll(() => answeredBy(app.url), { interval: 10 }).toBe('west');
    expect(performance.now() - deadMs).toBeGreaterThan(400);
    const { failOver } = await app.status();
    expect(failOver).toEqual({ formulaMs: 600, worstMs: 5_800 });
  });
});

describe('the switches of an endpoint', () => {
  it('take it out of traffic and probing at once, and put it back', async () => {
    const [east, west] = [await startEndpoint('east'), await startEndpoint('west')];
    const app = await startApp([east, west]);
    await app.untilState('east', 'online');

    const disabled = await app.switchEndpoint('east', 'disable');
    expect(disabled.status).toBe(200);
    expect(await disabled.json()).toMatchObject({
      name: 'east',
      enabled: false,
      state: 'disabled',
    });
    expect(await answeredBy(app.url)).toBe('west');
    const [probesThen, westThen] = [east.probeCount(), west.probeCount()];
    await expect.poll(() => west.probeCount()).toBeGreaterThan(westThen + 3);
    // One may have been under way.
    expect(east.probeCount()).toBeLessThanOrEqual(probesThen + 1);

    const enabled = await app.switchEndpoint('east', 'enable');
    expect(await enabled.json()).toMatchObject({ name: 'east', enabled: true });
    expect(await answeredBy(app.url)).toBe('east');
    await app.untilState('east', 'online');
  });

  it('answer 503 to traffic when every endpoint is disabled', async () => {
    const east = await startEndpoint('east');
    const app = await startApp([east]);
    await app.switchEndpoint('east', 'disable');
    const response = await fetch(`${app.url}/customers`, { method: 'POST', body: 'x' });
    expect(response.status).toBe(503);
    expect(response.headers.get('content-type')).toContain('application/problem+json');
    expect(await response.json()).toMatchObject({ status: 503, code: 'NO_ENDPOINT_ENABLED' });
    expect(await app.status()).toMatchObject({ current: null, decision: 'none-enabled' });
  });

  it('answer 404 for an endpoint that is not there, naming those that are', async () => {
    const app = await startApp([await startEndpoint('east')]);
    const response = await app.switchEndpoint('north', 'disable');
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({
      code: 'ENDPOINT_NOT_FOUND',
      detail: 'There is no endpoint north. There are: east.',
    });
  });

  it('ignore a body, whatever its type', async () => {
    const app = await startApp([await startEndpoint('east')]);
    const response = await fetch(`${app.url}/_traffic-manager/endpoints/east/disable`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{',
    });
    expect(response.status).toBe(200);
  });
});

describe('the pages of the stand-in', () => {
  it('show the status without anything from elsewhere', async () => {
    const app = await startApp([await startEndpoint('east')]);
    const response = await fetch(`${app.url}/_traffic-manager/`);
    expect(response.headers.get('content-type')).toContain('text/html');
    const policy = response.headers.get('content-security-policy');
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain('unsafe');
    const page = await response.text();
    const inline = [...page.matchAll(/<(?:style|script)>([^]*?)<\/(?:style|script)>/g)];
    expect(inline).toHaveLength(2);
    // Only what the server wrote itself is run, whatever else came to stand on the page.
    for (const [, text = ''] of inline) {
      expect(policy).toContain(`'sha256-${createHash('sha256').update(text).digest('base64')}'`);
    }
    expect(page).toContain('<title>Traffic manager</title>');
    expect(page).not.toMatch(/https?:\/\//);
  });

  it('never pass an address under their prefix on to a region', async () => {
    const east = await startEndpoint('east');
    const app = await startApp([east]);
    const response = await fetch(`${app.url}/_traffic-manager/stats`);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ code: 'ROUTE_NOT_FOUND' });
    expect(east.requests).toHaveLength(0);
  });
});
