import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { encodeVector, formatStamp } from '@tandem/core';
import { afterEach, describe, expect, test } from 'vitest';
import type { Io } from '../io.ts';
import { runProgram } from '../program.ts';
import { createCliHarness } from '../testing/cli-harness.ts';
import { linesOf } from '../testing/lines-of.ts';

const WITHIN = ['--within', '1s'] as const;
const ID_OF_A_CUSTOMER = /^\/customers\/[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-8[\da-f]{3}-[\da-f]{12}$/;
const VERSION = encodeVector(
  new Map([['west', formatStamp({ timeMs: 10, counter: 0, region: 'west', writer: '0000000a' })]]),
);

interface Asked {
  readonly region: string;
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Answer {
  readonly status?: number;
  /** Whose name the answer bears. */
  readonly region?: string;
  readonly body?: string;
}

const servers: Server[] = [];

afterEach(async () => {
  await Promise.all(
    servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))),
  );
});

/** Two regions over HTTP that share one table, unless one answers otherwise. */
async function setUp(answerOf: (asked: Asked) => Answer | undefined = () => undefined) {
  const rows = new Map<string, string>();
  const asked: Asked[] = [];
  const listen = async (region: string): Promise<string> => {
    const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      const { method = '', url = '', headers } = request;
      const one = { region, method, url, headers, body };
      asked.push(one);
      const own = answerOf(one);
      if (own === undefined && method === 'PUT') rows.set(url, body);
      response.writeHead(own?.status ?? 200, {
        'x-tandem-region': own?.region ?? region,
        'x-tandem-version': VERSION,
      });
      response.end(own?.body ?? rows.get(url) ?? '{}');
    };
    const server = createServer((request, response) => void serve(request, response));
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const harness = await createCliHarness();
  const given = JSON.parse(harness.inventory) as { regions: { name: string }[] };
  const regions = await Promise.all(
    given.regions.map(async (one) => ({ ...one, api: await listen(one.name) })),
  );
  const inventory = { TANDEM_REGIONS: JSON.stringify({ ...given, regions }) };
  // Real servers answer in real time, in which the harness cannot drive a run.
  const clock = {
    nowMs: () => performance.now(),
    sleep: () => new Promise<void>((resolve) => setTimeout(resolve, 5)),
  };
  const run = async (environment: Record<string, string> = {}, own: Partial<Io> = {}) => {
    const said = { out: '', err: '' };
    const io = harness.io({
      environment: { ...inventory, ...environment },
      clock,
      out: (text) => void (said.out += text),
      err: (text) => void (said.err += text),
      ...own,
    });
    const code = await runProgram(['--json', 'canary', ...WITHIN], io);
    return { code, ...said, json: JSON.parse(said.out) as Record<string, unknown> };
  };
  return { ...harness, run, asked };
}

describe('tandem canary', () => {
  test('D2: takes a token as people paste it, and names what no header can hold', async () => {
    for (const TANDEM_TOKEN of ['token\r\n', '"token"', 'Bearer token', ' token\u200B']) {
      const { run, asked } = await setUp();
      expect((await run({ TANDEM_TOKEN })).code).toBe(0);
      expect(asked[0]?.headers.authorization).toBe('Bearer token');
    }
    for (const TANDEM_TOKEN of ['to\u200Bken', 'to ken', 'tökén']) {
      const { run, asked } = await setUp();
      const { code, err } = await run({ TANDEM_TOKEN });
      expect({ code, asked }).toEqual({ code: 2, asked: [] });
      expect(err).toMatch(/^TANDEM_TOKEN holds /);
    }
  });

  test('writes in each region, and reads it in all with the version that it was answered with', async () => {
    const { run, asked } = await setUp();
    const { code, json } = await run({ TANDEM_TOKEN: 'token' });
    expect(code).toBe(0);
    expect(json).toMatchObject({ command: 'canary', ok: true });
    expect(json['seen']).toMatchObject(
      ['east', 'west'].flatMap((writer) =>
        ['east', 'west'].map((reader) => ({
          writer,
          reader,
          seenMs: expect.any(Number),
          problem: null,
        })),
      ),
    );
    const writes = asked.filter(({ method }) => method === 'PUT');
    expect(writes.map(({ region }) => region).sort()).toEqual(['east', 'west']);
    expect(new Set(writes.map(({ url }) => url)).size).toBe(2);
    for (const { url } of writes) expect(url).toMatch(ID_OF_A_CUSTOMER);
    for (const { headers } of asked) expect(headers.authorization).toBe('Bearer token');
    for (const { method, headers } of asked) {
      const least = headers['x-tandem-min-version'];
      expect(least).toBe(method === 'GET' ? VERSION : undefined);
    }
    // A second one writes the same customers, of which there are never more.
    await run();
    expect(new Set(asked.map(({ url }) => url)).size).toBe(2);
  });

  test.each<[string, (asked: Asked) => Answer | undefined, string]>([
    [
      'a write that is not taken',
      ({ method, region }) => (method === 'PUT' && region === 'west' ? { status: 401 } : undefined),
      'not written: the answer is 401',
    ],
    [
      'a write that is refused',
      ({ method, region }) =>
        method === 'PUT' && region === 'west'
          ? { status: 503, body: 'version-not-reached' }
          : undefined,
      'not written: refused',
    ],
    [
      'a host that leads readers to another region',
      ({ method, region }) =>
        method === 'GET' && region === 'west' ? { region: 'east' } : undefined,
      'not within 1s: east answers in its place',
    ],
    [
      'a region that stays behind',
      ({ method, region }) =>
        method === 'GET' && region === 'east'
          ? { status: 503, body: 'version-not-reached' }
          : undefined,
      'not within 1s: east has not reached the version',
    ],
    [
      'a region that claims the version and shows less',
      ({ method, region }) =>
        method === 'GET' && region === 'east' ? { body: '{"lastName":"drill 0"}' } : undefined,
      'STALE',
    ],
    [
      'a host that leads to another region',
      ({ region }) => (region === 'west' ? { region: 'east', body: '{}' } : undefined),
      'is of east: mend the inventory or the DNS',
    ],
    [
      'another answer in the name of a region',
      ({ method, region }) =>
        method === 'GET' && region === 'east' ? { status: 500, body: '<html>' } : undefined,
      'not within 1s: the answer is 500',
    ],
  ])('finds %s, and says so by its exit code', async (_, answerOf, told) => {
    const { run } = await setUp(answerOf);
    const { code, json } = await run();
    expect({ code, ok: json['ok'] }).toEqual({ code: 3, ok: false });
    expect(JSON.stringify(json['seen'])).toContain(told);
  });

  test('waits for a region that is behind at first, and tells for how long', async () => {
    let refused = 0;
    const { run } = await setUp(({ method, region }) => {
      if (method !== 'GET' || region !== 'east' || refused === 3) return undefined;
      refused += 1;
      return { status: 503, body: 'version-not-reached' };
    });
    // Only waiting takes time here, however slow the machine is.
    const startMs = Date.UTC(2026, 0, 1);
    let sleptMs = 0;
    const clock = {
      nowMs: () => startMs + sleptMs,
      sleep: async (ms: number) => void (sleptMs += ms),
    };
    const { code, json } = await run({}, { clock });
    expect({ code, refused, sleptMs }).toEqual({ code: 0, refused: 3, sleptMs: 750 });
    const seen = json['seen'] as { reader: string; seenMs: number }[];
    expect(Math.max(...seen.map(({ seenMs }) => seenMs))).toBe(750);
  });

  test('says to a person where it was seen, after how long, and where not', async () => {
    const { run } = await setUp(({ method, region }) =>
      method === 'PUT' && region === 'west' ? { status: 401 } : undefined,
    );
    const lines = linesOf((await run()).err);
    expect(lines.map((line) => line.replace(/\d+ ms$/, 'n ms'))).toEqual([
      'written in | read in | seen after',
      'east | east | n ms',
      'east | west | n ms',
      'west | west | not written: the answer is 401, and none of a region that serves',
      '',
    ]);
  });

  test('ends at once when it is stopped while a region is behind', async () => {
    const stop = new AbortController();
    const { run, asked } = await setUp(({ method }) => {
      if (method !== 'GET') return undefined;
      stop.abort();
      return { status: 503, body: 'version-not-reached' };
    });
    const { code, json } = await run({}, { signal: stop.signal });
    expect({ code, json }).toMatchObject({ code: 130, json: { error: { code: 'INTERRUPTED' } } });
    expect(asked.filter(({ method }) => method === 'GET').length).toBeLessThanOrEqual(4);
  });

  test('asks for a token of its identity only where it has none and is told for what', async () => {
    const scope = { TANDEM_TOKEN_SCOPE: 'api://tandem/.default' };
    const readToken = async (of: string) => `token for ${of}`;
    const { run, asked } = await setUp();
    const tokensOf = async (...args: Parameters<typeof run>) => {
      const { code } = await run(...args);
      return [code, ...new Set(asked.splice(0).map(({ headers }) => headers.authorization))];
    };
    expect(await tokensOf({ TANDEM_TOKEN: 'own', ...scope }, { readToken })).toEqual([
      0,
      'Bearer own',
    ]);
    expect(await tokensOf({}, { readToken })).toEqual([0, undefined]);
    // Nobody there who could get one.
    expect(await tokensOf(scope)).toEqual([0, undefined]);
  });

  test('asks with a token of its own identity, and says where that gets none', async () => {
    const { run, asked } = await setUp();
    const scope = { TANDEM_TOKEN_SCOPE: 'api://tandem/.default' };
    const readToken = async (of: string) => `token for ${of}`;
    expect((await run(scope, { readToken })).code).toBe(0);
    expect(asked[0]?.headers.authorization).toBe('Bearer token for api://tandem/.default');
    const none = await run(scope, {
      readToken: async () => {
        throw Object.assign(new Error('hush'), { name: 'CredentialUnavailableError' });
      },
    });
    expect(none.code).toBe(5);
    expect(none.json['problem']).toContain('CredentialUnavailableError for api://tandem/.default');
    expect(none.out + none.err).not.toContain('hush');
  });

  test('refuses an inventory without an API, and a patience that is of no use', async () => {
    const { run, runWith } = await createCliHarness();
    expect(await run('canary')).toMatchObject({
      code: 2,
      err: expect.stringContaining('names no api of east'),
    });
    expect(await runWith({}, 'canary', '--within', '10m')).toMatchObject({ code: 2 });
  });
});
