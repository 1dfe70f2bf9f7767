// What a stranger, or a client with a key that means no good, may try: the service's own code, nothing half done,
// and nothing held.
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createRequestJudge } from '@tandem/core';
import { createLogger } from '@tandem/service-kit';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createApp } from './app.ts';
import { styleOfHosts } from './create-service.ts';
import { createEndpoint } from './endpoint.ts';
import { createRequestBodies } from './request-bodies.ts';
import { openLocalTables } from './testing/local-tables.ts';

const ACCOUNT = { account: 'shop', keys: [Buffer.alloc(32, 7).toString('base64')] } as const;
const MIB = 1_024 * 1_024;
const logger = createLogger({ service: 'table-endpoint', region: 'east', level: 'silent' });

async function serve({ isJudged = false } = {}) {
  const tables = await openLocalTables();
  for (const name of ['Orders', 'Others']) await tables.create(name);
  const failures: unknown[] = [];
  let ids = 0;
  const bodies = createRequestBodies(64 * MIB);
  const statuses: number[] = [];
  const app = createApp({
    endpoint: createEndpoint({
      tables,
      accounts: [ACCOUNT],
      styleOf: styleOfHosts([ACCOUNT]),
      judgeRequest: isJudged ? createRequestJudge() : undefined,
      nowMs: Date.now,
      newRequestId: () => `id-${(ids += 1)}`,
      onFailure: (error) => failures.push(error),
    }),
    logger,
    bodies,
    observe: () => ({ run: (work) => work(), end: ({ status }) => void statuses.push(status) }),
  });
  const origin = await app.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => app.close());
  return { origin, port: Number(new URL(origin).port), bodies, failures, statuses };
}

/** Signs as SharedKeyLite; the service signs no body. */
function signed(path: string, date = new Date()): Record<string, string> {
  const text = `${date.toUTCString()}\n/${ACCOUNT.account}${path}`;
  const key = Buffer.from(ACCOUNT.keys[0], 'base64');
  const signature = createHmac('sha256', key).update(text, 'utf8').digest('base64');
  return {
    'x-ms-date': date.toUTCString(),
    authorization: `SharedKeyLite ${ACCOUNT.account}:${signature}`,
  };
}

type Asked = Readonly<{
  method?: string;
  body?: string | Uint8Array<ArrayBuffer>;
  query?: string;
  more?: Readonly<Record<string, string>>;
}>;

async function ask(origin: string, path: string, { query = '', more, ...asked }: Asked = {}) {
  const signedPath = /comp=[a-z]+/.exec(query)?.[0];
  const headers = {
    ...signed(signedPath === undefined ? path : `${path}?${signedPath}`),
    'content-type': 'application/json',
    ...more,
  };
  const response = await fetch(`${origin}${path}${query && `?${query}`}`, { headers, ...asked });
  const body = await response.text();
  const code = /"code":"(\w+)"|<Code>(\w+)</.exec(body);
  return { response, body, said: `${response.status} ${code?.[1] ?? code?.[2] ?? ''}`.trim() };
}

/** Returns the first line of the answer, or undefined where there is none. */
async function sendRaw(port: number, text: string): Promise<string | undefined> {
  return (await answerTo(port, text))?.split('\r\n', 1)[0];
}

/** Sends what no client would, and returns what comes first of the answer, or undefined where there is none. */
async function answerTo(port: number, text: string): Promise<string | undefined> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  socket.write(text);
  const [chunk] = (await Promise.race([once(socket, 'data'), once(socket, 'close')])) as unknown[];
  return Buffer.isBuffer(chunk) ? chunk.toString('latin1') : undefined;
}

function headOf(method: string, path: string, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries({ host: 'h', ...headers });
  return `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}`;
}

describe('a client that goes away', () => {
  it('in the middle of a body is no failure of ours, has written nothing, and holds nothing', async () => {
    const { origin, port, bodies, failures, statuses } = await serve();
    const body = JSON.stringify({ PartitionKey: 'p', RowKey: 'gone', text: 'a'.repeat(50_000) });
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    const path = '/shop/Orders';
    const headers = { 'content-type': 'application/json', ...signed(path) };
    socket.write(headOf('POST', path, { ...headers, 'content-length': String(body.length) }));
    socket.write(`\r\n${body.slice(0, 20_000)}`);
    await expect.poll(() => bodies.heldBytes).toBeGreaterThan(0);
    socket.destroy();
    await expect.poll(() => statuses.length).toBe(1);
    expect(bodies.heldBytes).toBe(0);
    expect(failures).toEqual([]);
    expect(statuses[0]).toBeLessThan(500);
    const row = "/shop/Orders(PartitionKey='p',RowKey='gone')";
    expect((await ask(origin, row)).said).toBe('404 ResourceNotFound');
  });
});

describe('headers', () => {
  it('that mean one thing and stand twice are refused, and so are lengths that differ', async () => {
    const { port } = await serve();
    const path = '/shop/Orders';
    const first = headOf('GET', path, signed(path));
    expect(await sendRaw(port, `${first}accept: a/b\r\naccept: c/d\r\n\r\n`)).toContain(' 200 ');
    for (const forged of [
      'Authorization: SharedKeyLite shop:AAAA',
      'Host: evil.example',
      `X-Ms-Date: ${new Date(0).toUTCString()}`,
      'x-ms-version: 2019-02-02\r\nx-ms-version: 2020-12-06',
      'If-Match: *\r\nIf-Match: W/"other"',
    ]) {
      expect(await sendRaw(port, `${first}${forged}\r\n\r\n`)).toContain(' 400 ');
    }
    const lengths = 'content-length: 1\r\ncontent-length: 2\r\n';
    expect(await sendRaw(port, `${first}${lengths}\r\n`)).toContain(' 400 ');
  });

  it('that ask what a request cannot be held to are refused in the words of the service, and nothing is written', async () => {
    const { origin } = await serve();
    const row = "/shop/Orders(PartitionKey='p',RowKey='r')";
    const asking = (method: string, path: string, more: Readonly<Record<string, string>>) =>
      ask(origin, path, { method, more, body: '{"PartitionKey":"p","RowKey":"r","a":1}' });
    const refusals: readonly [string, string, Readonly<Record<string, string>>, string][] = [
      ['PUT', row, { 'if-none-match': '*' }, 'InvalidInput'],
      ['PATCH', row, { 'if-none-match': 'W/"a"', 'if-match': '*' }, 'InvalidInput'],
      ['DELETE', row, { 'if-none-match': '*' }, 'InvalidInput'],
      ['PUT', row, { 'if-match': '' }, 'InvalidInput'],
      ['POST', '/shop/Orders', { 'if-match': '*' }, 'InvalidInput'],
      ['POST', '/shop/Orders', { 'content-encoding': 'gzip' }, 'UnsupportedHeader'],
      ['PUT', row, { 'x-http-method': 'MERGE' }, 'XMethodNotUsingPost'],
      ['POST', row, { 'x-http-method': 'GET' }, 'XMethodIncorrectValue'],
      ['DELETE', "/shop/Tables('Orders')", { 'if-match': '*' }, 'InvalidInput'],
    ];
    for (const [method, path, more, code] of refusals) {
      expect((await asking(method, path, more)).said, `${method} ${code}`).toBe(`400 ${code}`);
    }
    expect((await ask(origin, row)).said).toBe('404 ResourceNotFound');
    const absent = { 'if-none-match': '*', 'content-encoding': 'identity' };
    expect((await asking('POST', '/shop/Orders', absent)).said).toBe('201');
    expect((await asking('POST', row, { 'x-http-method': 'PUT' })).said).toBe('204');
  });

  it('of a part of a transaction are held to the same, and nothing of it is written', async () => {
    const { origin } = await serve();
    const part = (rowKey: string, ...lines: readonly string[]): string =>
      [
        '--c',
        'Content-Type: application/http',
        '',
        `PUT /Orders(PartitionKey='p',RowKey='${rowKey}') HTTP/1.1`,
        ...lines,
        '',
        '{}',
        '',
      ].join('\r\n');
    const asking = (line: string) =>
      ask(origin, '/shop/$batch', {
        method: 'POST',
        body: `--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n${part('1')}${part('2', line)}--c--\r\n--b--`,
        more: { 'content-type': 'multipart/mixed; boundary=b' },
      });
    const refused = await asking('If-None-Match: *');
    expect(refused.body).toContain('1:If-None-Match HTTP header cannot be specified for PUT');
    expect((await asking('Content-Encoding: gzip')).said).toBe('400 UnsupportedHeader');
    expect((await asking('X-HTTP-Method: MERGE')).said).toBe('400 XMethodNotUsingPost');
    const row = "/shop/Orders(PartitionKey='p',RowKey='1')";
    expect((await ask(origin, row)).said).toBe('404 ResourceNotFound');
    expect((await asking('If-None-Again: *')).body).toContain('204 No Content');
    expect((await ask(origin, row)).said).toBe('200');
  });

  it('name their host, and one method', async () => {
    const { port } = await serve();
    const path = '/shop/Orders';
    const head = headOf('POST', path, { ...signed(path), 'content-length': '0' });
    expect(await answerTo(port, `${head.replace('host: h', 'host:')}\r\n`)).toContain(
      'HostInformationNotPresent',
    );
    const twice = 'x-http-method: PUT\r\nx-http-method: DELETE\r\n';
    expect(await answerTo(port, `${head}${twice}\r\n`)).toContain('XMethodIncorrectCount');
  });

  it('of a clock more than 15 minutes off are refused', async () => {
    const { origin } = await serve();
    for (const offMs of [-16 * 60_000, 16 * 60_000]) {
      const headers = signed('/shop/Orders', new Date(Date.now() + offMs));
      expect((await fetch(`${origin}/shop/Orders`, { headers })).status).toBe(403);
    }
  });
});

describe('G1: a page of another site', () => {
  const rule = `<StorageServiceProperties><Cors><CorsRule><AllowedOrigins>http://page.example</AllowedOrigins><AllowedMethods>POST</AllowedMethods><ExposedHeaders></ExposedHeaders><AllowedHeaders>*</AllowedHeaders><MaxAgeInSeconds>5</MaxAgeInSeconds></CorsRule></Cors></StorageServiceProperties>`;
  const path = '/shop/Orders';
  const body = JSON.stringify({ PartitionKey: 'p', RowKey: 'from a page' });
  const send = (port: number, headers: Readonly<Record<string, string>>) =>
    sendRaw(
      port,
      `${headOf('POST', path, { ...signed(path), 'content-length': String(body.length), ...headers })}\r\n${body}`,
    );

  it('writes nothing by a key that everybody knows, nor does one that gave its name this address', async () => {
    const { origin, port } = await serve({ isJudged: true });
    const host = `127.0.0.1:${port}`;
    expect(await send(port, { host: 'evil.example' })).toContain(' 403 ');
    expect(await send(port, { host, origin: 'http://page.example' })).toContain(' 403 ');
    expect(await send(port, { host, 'sec-fetch-site': 'cross-site' })).toContain(' 403 ');
    const row = `${path}(PartitionKey='p',RowKey='from%20a%20page')`;
    expect((await ask(origin, row)).said).toBe('404 ResourceNotFound');
    expect(await send(port, { host, origin: `http://${host}` })).toContain(' 201 ');
  });

  it('may where a CORS rule lets it in', async () => {
    const { origin, port } = await serve({ isJudged: true });
    const host = `127.0.0.1:${port}`;
    const query = 'restype=service&comp=properties';
    expect((await ask(origin, '/shop/', { method: 'PUT', query, body: rule })).said).toBe('202');
    expect(await send(port, { host, origin: 'http://other.example' })).toContain(' 403 ');
    expect(await send(port, { host, origin: 'http://page.example' })).toContain(' 201 ');
  });
});

describe('an address', () => {
  it('that is a whole URL is taken, and its host counts (RFC 9112, 3.2.2)', async () => {
    const { port } = await serve({ isJudged: true });
    const headers = { ...signed('/shop/Orders'), host: 'localhost' };
    const whole = headOf('GET', `http://127.0.0.1:${port}/shop/Orders`, headers);
    expect(await sendRaw(port, `${whole}\r\n`)).toContain(' 200 ');
    const foreign = headOf('GET', 'http://evil.example/shop/Orders', headers);
    expect(await sendRaw(port, `${foreign}\r\n`)).toContain(' 403 ');
  });

  it.each(['PROPFIND', 'TRACE', 'HEAD'])('is not asked by the verb %s', async (verb) => {
    const { port } = await serve();
    const line = await sendRaw(port, `${headOf(verb, '/shop/Orders', signed('/shop/Orders'))}\r\n`);
    expect(line).toContain(' 405 ');
  });

  it.each([
    '/shop/%',
    '/shop/Orders%',
    '/shop/%C0%AFTables',
    '/shop/%ED%A0%80',
    "/shop/Orders(PartitionKey='%FF',RowKey='a')",
    '/shop/%00',
    '/shop/..%2f..%2fetc',
    '/%2573hop/Tables',
    '//shop/Tables',
    '/shop/Orders?%24filter=%',
    `/shop/Orders?$filter=${'('.repeat(10_000)}`,
    `/shop/Orders?$filter=${'not%20'.repeat(9_000)}a`,
    `/shop/Orders?$select=${'a,'.repeat(25_000)}`,
    `/shop/Orders?$filter=${"''".repeat(16_000)}'`,
  ])(
    'that is hostile is answered in the range of 200 or 400, and at once, number %#',
    async (target) => {
      const { port, failures } = await serve();
      const startedMs = performance.now();
      const line = await sendRaw(
        port,
        `${headOf('GET', target, signed(target.split('?', 1)[0] ?? ''))}\r\n`,
      );
      expect(line).toMatch(/^HTTP\/1\.1 [24]\d\d /);
      expect(performance.now() - startedMs).toBeLessThan(10_000);
      expect(failures).toEqual([]);
    },
  );
});

describe('a token to read on with', () => {
  it('of another table, of another filter, or cut, is refused by name', async () => {
    const { origin } = await serve();
    for (const rowKey of ['1', '2', '3']) {
      const body = JSON.stringify({ PartitionKey: 'p', RowKey: rowKey });
      for (const table of ['Orders', 'Others']) {
        expect((await ask(origin, `/shop/${table}`, { method: 'POST', body })).said).toBe('201');
      }
    }
    const { response } = await ask(origin, '/shop/Orders', { query: '$top=1' });
    const token = response.headers.get('x-ms-continuation-nextpartitionkey') ?? '';
    const on = (one: string, more = ''): string =>
      `NextPartitionKey=${encodeURIComponent(one)}&NextRowKey=1!0!${more}`;
    expect((await ask(origin, '/shop/Orders', { query: on(token) })).said).toBe('200');
    const refused = '400 InvalidInput';
    expect((await ask(origin, '/shop/Others', { query: on(token) })).said).toBe(refused);
    expect((await ask(origin, '/shop/Orders', { query: 'NextRowKey=1!0!' })).said).toBe(refused);
    const filter = `&$filter=${encodeURIComponent("RowKey gt '0'")}`;
    expect((await ask(origin, '/shop/Orders', { query: on(token, filter) })).said).toBe(refused);
    for (const broken of [token.slice(0, -1), '', '1!4!AAAA', '1!99999!AAAA', `${token}A`]) {
      expect((await ask(origin, '/shop/Orders', { query: on(broken) })).said).toBe(refused);
    }
  });
});

describe('a list of tables', () => {
  it('is read to its end page by page, in whatever case the names are', async () => {
    const { origin } = await serve();
    for (const name of ['alpha', 'Beta', 'gamma', 'ZETA', 'eta']) {
      const body = JSON.stringify({ TableName: name });
      expect((await ask(origin, '/shop/Tables', { method: 'POST', body })).said).toBe('201');
    }
    const names: string[] = [];
    let token: string | null = '';
    for (let page = 0; token !== null && page < 20; page += 1) {
      const from: string = token === '' ? '' : `&NextTableName=${encodeURIComponent(token)}`;
      const { response, body } = await ask(origin, '/shop/Tables', { query: `$top=1${from}` });
      const { value } = JSON.parse(body) as { readonly value: { readonly TableName: string }[] };
      names.push(...value.map(({ TableName }) => TableName));
      token = response.headers.get('x-ms-continuation-nexttablename');
    }
    expect(names).toEqual(['alpha', 'Beta', 'eta', 'gamma', 'Orders', 'Others', 'ZETA']);
  });
});

describe('a choice of properties', () => {
  it('holds names of properties, and nothing that an answer has of its own', async () => {
    const { origin } = await serve();
    const body = '{"PartitionKey":"p","RowKey":"r","a":1}';
    expect((await ask(origin, '/shop/Orders', { method: 'POST', body })).said).toBe('201');
    const choose = (names: string) =>
      ask(origin, "/shop/Orders(PartitionKey='p',RowKey='r')", { query: `$select=${names}` });
    for (const name of ['odata.etag', 'a@odata.type', 'a/b', 'a b', '1a', '"']) {
      expect((await choose(encodeURIComponent(`a,${name}`))).said).toBe('400 InvalidInput');
    }
    const valuesOf = async (names: string): Promise<string[]> =>
      Object.keys(JSON.parse((await choose(names)).body) as object).filter(
        (name) => !name.startsWith('odata.'),
      );
    expect(await valuesOf('a,,absent,')).toEqual(['a', 'absent']);
    expect(await valuesOf('a,a')).toEqual(['a']);
    expect(await valuesOf('a,*')).toEqual(['PartitionKey', 'RowKey', 'Timestamp', 'a']);
    expect(await valuesOf(',')).toEqual(['PartitionKey', 'RowKey', 'Timestamp', 'a']);
  });
});

describe('a body', () => {
  it('may begin with the mark of its encoding', async () => {
    const { origin } = await serve();
    const body = '\uFEFF{"PartitionKey":"p","RowKey":"marked"}';
    expect((await ask(origin, '/shop/Orders', { method: 'POST', body })).said).toBe('201');
  });
});

describe('a page of many names that no row has', () => {
  it('is as large as any, and all pages together have every row', async () => {
    const { origin } = await serve();
    const expected = Array.from({ length: 60 }, (_, nth) => String(nth).padStart(2, '0'));
    for (const RowKey of expected) {
      const body = JSON.stringify({ PartitionKey: 'p', RowKey });
      expect((await ask(origin, '/shop/Orders', { method: 'POST', body })).said).toBe('201');
    }
    // Each takes three characters of an address, and eleven of every row.
    const names = Array.from({ length: 14_000 }, (_, nth) => `a${nth.toString(36)}`);
    const chosen = `$select=RowKey,${names.join(',')}`.slice(0, 60_000);
    const keys: string[] = [];
    let query = chosen;
    do {
      const { response, body } = await ask(origin, '/shop/Orders', { query });
      expect(response.status).toBe(200);
      expect(body.length).toBeLessThan(5 * MIB);
      const { value } = JSON.parse(body) as { readonly value: { readonly RowKey: string }[] };
      keys.push(...value.map(({ RowKey }) => RowKey));
      const token = response.headers.get('x-ms-continuation-nextpartitionkey');
      query = token === null ? '' : `${chosen}&NextPartitionKey=${encodeURIComponent(token)}`;
    } while (query !== '');
    expect(keys).toEqual(expected);
  });
});

describe('a page of large rows', () => {
  it('ends at some 4 MiB, and all pages together have every row', async () => {
    const { origin } = await serve();
    const text = 'a'.repeat(15_000);
    const values = Object.fromEntries(Array.from({ length: 7 }, (_, nth) => [`v${nth}`, text]));
    const expected = Array.from({ length: 50 }, (_, nth) => String(nth).padStart(2, '0'));
    for (const RowKey of expected) {
      const body = JSON.stringify({ PartitionKey: 'p', RowKey, ...values });
      expect((await ask(origin, '/shop/Orders', { method: 'POST', body })).said).toBe('201');
    }
    const keys: string[] = [];
    let query = '';
    let pages = 0;
    do {
      const { response, body } = await ask(origin, '/shop/Orders', { query });
      const { value } = JSON.parse(body) as { readonly value: { readonly RowKey: string }[] };
      keys.push(...value.map(({ RowKey }) => RowKey));
      expect(value.length).toBeLessThanOrEqual(20);
      const token = response.headers.get('x-ms-continuation-nextpartitionkey');
      query = token === null ? '' : `NextPartitionKey=${encodeURIComponent(token)}`;
      pages += 1;
    } while (query !== '' && pages < 20);
    expect(keys).toEqual(expected);
  });
});

describe('rules for pages of other origins', () => {
  const set = (origin: string, rule: string) =>
    ask(origin, '/shop/', {
      method: 'PUT',
      query: 'restype=service&comp=properties',
      body: `<StorageServiceProperties><Cors>${rule}</Cors></StorageServiceProperties>`,
    });
  const rule = (exposed: string): string =>
    `<CorsRule><AllowedOrigins>*</AllowedOrigins><AllowedMethods>GET</AllowedMethods><ExposedHeaders>${exposed}</ExposedHeaders><AllowedHeaders>*</AllowedHeaders><MaxAgeInSeconds>5</MaxAgeInSeconds></CorsRule>`;

  it('that no header may hold, or too many, are refused, and pages are served as before', async () => {
    const { origin, failures } = await serve();
    expect((await set(origin, rule('x-ms-a'))).said).toBe('202');
    const refused = '400 InvalidXmlDocument';
    expect((await set(origin, rule('x-a\nset-cookie: b=c'))).said).toBe(refused);
    expect((await set(origin, rule('x-\u{1F600}'))).said).toBe(refused);
    expect((await set(origin, rule(`x-${'a'.repeat(MIB)}`))).said).toBe(refused);
    expect((await set(origin, rule('x-a').repeat(6))).said).toBe(refused);
    const headers = { ...signed('/shop/Orders'), origin: 'https://page.example' };
    const response = await fetch(`${origin}/shop/Orders`, { headers });
    expect(response.status).toBe(200);
    expect(response.headers.get('access-control-expose-headers')).toBe('x-ms-a');
    expect(failures).toEqual([]);
  });

  it('hold for refusals too, or a page could not read them', async () => {
    const { origin } = await serve();
    expect((await set(origin, rule('x-ms-error-code'))).said).toBe('202');
    const of = async (path: string, headers: Readonly<Record<string, string>>) => {
      const response = await fetch(`${origin}${path}`, {
        headers: { ...headers, origin: 'https://page.example' },
      });
      return [response.status, response.headers.get('access-control-allow-origin')];
    };
    const row = "/shop/Orders(PartitionKey='p',RowKey='none')";
    expect(await of(row, signed(row))).toEqual([404, '*']);
    // Whoever is not known has nothing looked up for him.
    expect(await of(row, {})).toEqual([401, null]);
  });
});
