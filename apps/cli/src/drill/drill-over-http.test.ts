import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { encodeVector, formatStamp } from '@tandem/core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createHttpDrillClient, readReadiness, readTrafficManager } from './drill-over-http.ts';

interface Asked {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The connection ends in the middle of the body. */
  readonly isCutOff?: boolean;
}

let url: string;
let asked: Asked[];
let next: Answer;

const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
  let body = '';
  for await (const part of request) body += String(part);
  const { method, url: path, headers } = request;
  asked.push({ method, url: path, headers, body });
  const text = next.body ?? '';
  const length = text.length + (next.isCutOff === true ? 10 : 0);
  response.writeHead(next.status ?? 200, { 'content-length': length, ...next.headers });
  if (next.isCutOff !== true) response.end(text);
  else response.write(text, () => response.destroy());
};
const server = createServer((request, response) => void respond(request, response));

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => server.close());

beforeEach(() => {
  asked = [];
  next = {};
});

/** Nobody listens there. */
const NOWHERE = 'http://127.0.0.1:1';

describe('the client of a drill', () => {
  const stamp = formatStamp({ timeMs: 7, counter: 0, region: 'west', writer: 'w' });
  const version = new Map([['west', stamp]]);
  const ofWest = { 'x-tandem-region': 'west', 'x-tandem-version': encodeVector(version) };
  const clientOf = (token?: string, front = `${url}/`) =>
    createHttpDrillClient({ front, customerId: 'c1', token });

  test('writes, reads and removes one customer, over a new connection each time', async () => {
    const client = clientOf();
    next = { headers: ofWest, body: '{"lastName":"drill 12"}' };
    const answered = { kind: 'answered', region: 'west', version, count: 12 };
    expect(await client.write(12, undefined)).toEqual(answered);
    expect(await client.read(version)).toEqual(answered);
    await client.remove();
    expect(asked.map((one) => `${one.method} ${one.url}`)).toEqual([
      'PUT /customers/c1',
      'GET /customers/c1',
      'DELETE /customers/c1',
    ]);
    expect(asked.map(({ headers }) => headers.connection)).toEqual(['close', 'close', 'close']);
    const [put, get, remove] = asked;
    expect(JSON.parse(put?.body ?? '')).toEqual({
      email: 'drill-c1@example.invalid',
      lastName: 'drill 12',
    });
    expect(put?.headers).toMatchObject({ 'content-type': 'application/json' });
    expect(put?.headers).not.toHaveProperty('x-tandem-min-version');
    expect(get?.headers['x-tandem-min-version']).toBe(stamp);
    for (const bare of [get, remove]) expect(bare?.headers).not.toHaveProperty('content-type');
  });

  test('removes what is answered with nothing at all, and what nobody answers', async () => {
    next = { status: 204 };
    await expect(clientOf().remove()).resolves.toBeUndefined();
    await expect(clientOf(undefined, NOWHERE).remove()).resolves.toBeUndefined();
  });

  test('shows its token where it has one', async () => {
    await clientOf('t0').read(undefined);
    await clientOf().read(undefined);
    expect(asked.map(({ headers }) => headers.authorization)).toEqual(['Bearer t0', undefined]);
  });

  test.each<[string, Answer, string, number | undefined]>([
    ['nothing is there', { status: 404, headers: ofWest, body: '{}' }, 'answered', 0],
    [
      'a customer of another name',
      { headers: ofWest, body: '{"lastName":"drill x"}' },
      'answered',
      0,
    ],
    [
      'a name that only ends alike',
      { headers: ofWest, body: '{"lastName":"a drill 3"}' },
      'answered',
      0,
    ],
    [
      'a name that only begins alike',
      { headers: ofWest, body: '{"lastName":"drill 3a"}' },
      'answered',
      0,
    ],
    [
      'a customer whose name is none',
      { headers: ofWest, body: '{"lastName":5}' },
      'failed',
      undefined,
    ],
    [
      'an absence that is cut off',
      { status: 404, headers: ofWest, body: '{}', isCutOff: true },
      'failed',
      undefined,
    ],
    ['a customer without a name', { headers: ofWest, body: '{}' }, 'answered', 0],
    [
      'a region that is behind',
      { status: 503, headers: ofWest, body: 'version-not-reached' },
      'refused',
      undefined,
    ],
    [
      'an error of the region',
      { status: 503, headers: ofWest, body: 'STORE_DOWN' },
      'failed',
      undefined,
    ],
    [
      'an answer of no region',
      { headers: {}, body: '{"lastName":"drill 3"}' },
      'failed',
      undefined,
    ],
    [
      'one that is cut off',
      { headers: ofWest, body: '{"lastName":"drill 3"}', isCutOff: true },
      'failed',
      undefined,
    ],
    ['one that is no JSON', { headers: ofWest, body: '<html>' }, 'failed', undefined],
    ['one that is no customer', { headers: ofWest, body: 'null' }, 'failed', undefined],
  ])('takes %s for what it is', async (_, answer, kind, count) => {
    next = answer;
    expect(await clientOf().read(undefined)).toEqual({
      kind,
      ...(kind === 'failed' ? {} : { region: 'west' }),
      ...(kind === 'answered' ? { version, count } : {}),
    });
  });

  test('has seen nothing where the answer tells no version', async () => {
    const bare = { 'x-tandem-region': 'west' };
    for (const headers of [bare, { ...bare, 'x-tandem-version': 'torn' }]) {
      next = { headers, body: '{"lastName":"drill 3"}' };
      expect(await clientOf().read(undefined)).toMatchObject({ version: new Map(), count: 3 });
    }
  });

  test('fails where nobody answers, and has then nothing to remove', async () => {
    const client = clientOf(undefined, NOWHERE);
    expect(await client.read(undefined)).toEqual({ kind: 'failed' });
    expect(await client.write(1, undefined)).toEqual({ kind: 'failed' });
    await expect(client.remove()).resolves.toBeUndefined();
  });
});

test.each([
  ['ready', 200, true],
  ['not ready', 503, false],
  ['something else', 404, undefined],
  ['nothing', 500, undefined],
])('a region that says %s', async (_, status, expected) => {
  next = { status, body: 'x' };
  expect(await readReadiness(`${url}/`)).toBe(expected);
  expect(asked.map((one) => `${one.method} ${one.url}`)).toEqual(['GET /health/ready']);
  expect(await readReadiness(NOWHERE)).toBeUndefined();
});

describe('what a traffic manager says of itself', () => {
  const probing = { intervalMs: 1, timeoutMs: 2, toleratedFailures: 3, ttlMs: 4 };
  const status = {
    probing,
    endpoints: [
      { name: 'east', state: 'online' },
      { name: 'west', state: 'degraded' },
      { name: 'north', state: 'online' },
    ],
    transitions: [
      { at: '2026-01-01T00:00:02.000Z' },
      { at: '2026-01-01T00:00:03.000Z' },
      { at: 'never' },
      { at: '2026-01-01T00:00:01.000Z' },
    ],
  };
  const readOf = async (told: unknown) => {
    next = { body: JSON.stringify(told) };
    return readTrafficManager(`${url}/`);
  };

  test('is how it probes, whom it counts on, and when it last changed its mind', async () => {
    expect(await readOf(status)).toEqual({
      probing,
      online: ['east', 'north'],
      changedMs: Date.UTC(2026, 0, 1, 0, 0, 3),
    });
    expect(asked.map((one) => `${one.method} ${one.url}`)).toEqual([
      'GET /_traffic-manager/status',
    ]);
    const unchanged = await readOf({ ...status, transitions: [{ at: 'never' }] });
    expect(unchanged).toMatchObject({ changedMs: undefined });
  });

  test.each([
    ['its probes', { ...status, probing: { ...probing, ttlMs: '4' } }],
    ['a probe', { ...status, probing: { intervalMs: 1 } }],
    ['an endpoint', { ...status, endpoints: [{ name: 'east' }] }],
    ['a change', { ...status, transitions: [{}] }],
  ])('is nothing where it does not say %s', async (_, told) => {
    expect(await readOf(told)).toBeUndefined();
  });

  test('is nothing where there is none, or something else', async () => {
    expect(await readTrafficManager(undefined)).toBeUndefined();
    expect(asked).toEqual([]);
    expect(await readTrafficManager(NOWHERE)).toBeUndefined();
    next = { body: '<html>' };
    expect(await readTrafficManager(url)).toBeUndefined();
  });
});
