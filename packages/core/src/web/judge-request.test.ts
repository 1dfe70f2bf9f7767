import { describe, expect, test } from 'vitest';
import { ALLOWED_HOSTS_PATTERN, createRequestJudge, readAllowedHosts } from './judge-request.ts';

type Headers = readonly (readonly [string, string])[];

const ask = (
  headers: Headers,
  options: { method?: string; target?: string; allowed?: string } = {},
) =>
  createRequestJudge(readAllowedHosts(options.allowed))({
    method: options.method ?? 'POST',
    target: options.target ?? '/',
    rawHeaders: headers.flat(),
  });

describe('G1: the name that is asked for', () => {
  test.each([
    'localhost',
    'LOCALHOST:8080',
    'api.localhost:1',
    '127.0.0.1:7710',
    '127.1.2.3',
    '10.1.2.3:8080',
    '[::1]:8080',
    '[fe80::1]',
    'east-api:8080',
    'host.docker.internal',
    'replicator.tandem.svc:8081',
    'tandem.default.svc.cluster.local:8080',
    'localhost.',
  ])('may be %s, which no page of another site has', (host) => {
    expect(ask([['Host', host]])).toEqual({ kind: 'taken' });
  });

  test.each([
    'evil.example',
    'evil.example:7710',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '127.0.0.1.nip.io:7710',
    'evil.local',
    'localhost@evil.example',
    'evil.example#localhost',
    'a b',
    '',
    '.',
    '[::1].evil.example',
  ])('may not be %j', (host) => {
    expect(ask([['host', host]])).toMatchObject({ kind: 'refused', part: 'host' });
  });

  test('may be one that the settings name, and no other', () => {
    const allowed = 'api.example.com, *.example.org';
    expect(ask([['host', 'API.example.com:443']], { allowed }).kind).toBe('taken');
    expect(ask([['host', 'a.b.example.org']], { allowed }).kind).toBe('taken');
    expect(ask([['host', 'example.org']], { allowed }).kind).toBe('refused');
    expect(ask([['host', 'xexample.org']], { allowed }).kind).toBe('refused');
    expect(ask([['host', 'api.example.com.evil.example']], { allowed }).kind).toBe('refused');
    expect(ask([['host', 'evil.example']], { allowed: '*' }).kind).toBe('taken');
  });

  test('is that of the target where this is a whole URL (RFC 9112, 3.2.2)', () => {
    const headers: Headers = [['host', 'localhost']];
    expect(ask(headers, { target: 'http://evil.example/x' }).kind).toBe('refused');
    expect(ask([['host', 'evil.example']], { target: 'http://u@127.0.0.1:1/x' }).kind).toBe(
      'taken',
    );
  });

  test('is given once (RFC 9112, 3.2): of two, who stands before us may have read the other', () => {
    const two: Headers = [
      ['Host', 'localhost'],
      ['host', 'evil.example'],
    ];
    for (const headers of [two, two.toReversed()]) {
      expect(ask(headers, { allowed: '*' })).toMatchObject({ kind: 'refused', part: 'host' });
    }
  });

  test('may be missing, as HTTP/1.0 has it', () => {
    expect(ask([]).kind).toBe('taken');
  });
});

describe('G1: the page that asks', () => {
  const HOST: readonly [string, string] = ['host', '127.0.0.1:7710'];

  test.each([
    'http://evil.example',
    'https://127.0.0.1.evil.example',
    'http://127.0.0.1:7711',
    'http://localhost:7710',
    'http://127.0.0.1',
    'null',
    '',
    'file://',
    'chrome-extension://abcdef',
    'http://127.0.0.1:7710, http://evil.example',
  ])('may not be of %j', (origin) => {
    for (const method of ['GET', 'POST', 'DELETE']) {
      expect(ask([HOST, ['Origin', origin]], { method })).toMatchObject({ part: 'origin' });
    }
  });

  test('may be of the host itself, behind what ends TLS too', () => {
    expect(ask([HOST, ['origin', 'http://127.0.0.1:7710']]).kind).toBe('taken');
    const allowed = 'api.example.com';
    const host: Headers = [['host', 'api.example.com']];
    expect(ask([...host, ['origin', 'https://api.example.com']], { allowed }).kind).toBe('taken');
    expect(
      ask(
        [
          ['host', 'api.example.com:443'],
          ['origin', 'https://api.example.com'],
        ],
        { allowed },
      ).kind,
    ).toBe('taken');
  });

  test('may be of a name that the settings give, but not by the star that stands for any', () => {
    const headers: Headers = [
      HOST,
      ['origin', 'https://app.example.com'],
      ['sec-fetch-site', 'cross-site'],
    ];
    expect(ask(headers, { allowed: 'app.example.com' }).kind).toBe('taken');
    expect(ask(headers, { allowed: '*' }).kind).toBe('refused');
  });

  test.each(['cross-site', 'same-site', 'CROSS-SITE', 'anything'])(
    'may not say that it is %s',
    (site) => {
      expect(ask([HOST, ['Sec-Fetch-Site', site]], { method: 'GET' }).kind).toBe('refused');
    },
  );

  test.each(['none', 'same-origin'])('may say that it is %s', (site) => {
    expect(ask([HOST, ['sec-fetch-site', site]]).kind).toBe('taken');
  });

  test('may be opened by a link of another site, but neither framed nor sent a form', () => {
    const opened: Headers = [
      HOST,
      ['sec-fetch-site', 'cross-site'],
      ['sec-fetch-mode', 'navigate'],
      ['sec-fetch-dest', 'document'],
    ];
    expect(ask(opened, { method: 'GET' }).kind).toBe('taken');
    expect(ask(opened, { method: 'POST' }).kind).toBe('refused');
    const framed: Headers = [...opened.slice(0, 3), ['sec-fetch-dest', 'iframe']];
    expect(ask(framed, { method: 'GET' }).kind).toBe('refused');
  });
});

test.each([
  ['api.example.com', true],
  ['*', true],
  ['a.example, *.b.example', true],
  ['http://api.example.com', false],
  ['api.example.com:443', false],
  ['a..b', false],
  ['', false],
])('ALLOWED_HOSTS may be %j: %s', (text, fits) => {
  expect(new RegExp(ALLOWED_HOSTS_PATTERN, 'u').test(text)).toBe(fits);
});
