import { gzipSync } from 'node:zlib';
import type { Hostility, PlannedRequest } from './planned-request.ts';
import { RAW_HOSTILITIES } from './raw-hostilities.ts';

const NASTY_TEXTS = [
  '',
  '..',
  '../../etc/passwd',
  '__proto__',
  'constructor',
  '\u0000',
  'a\r\nx-injected: 1',
  '\ud800',
  "' or 1 eq 1 or PartitionKey ne '",
  '{"$ne":null}',
  '9223372036854775808',
  'NaN',
  '-0',
  '1e309',
  '٣',
  'Ａ',
  '\u202e',
  'W/"x"',
  '*',
  '"',
  'a'.repeat(10_240),
];

const NESTING = 20_000;
const BOMB_BYTES = 20_000_000;
const bomb = gzipSync(Buffer.alloc(BOMB_BYTES, ' '));

const id = '4f1c9d0e-6a53-4b3e-9f0a-2f6b0c1d7e88';
const NASTY_BODIES: Readonly<Record<string, Buffer>> = {
  'a body of nothing': Buffer.alloc(0),
  'a body cut in half': Buffer.from('{"email":"a@example.com","first'),
  'deep nesting': Buffer.from('['.repeat(NESTING)),
  'deep nesting in a field': Buffer.from(`{"email":${'{"a":'.repeat(5_000)}1${'}'.repeat(5_001)}`),
  'a key twice': Buffer.from('{"email":"a@example.com","email":"b@example.com"}'),
  'a key __proto__': Buffer.from('{"email":"a@b","__proto__":{"admin":true}}'),
  'a key constructor': Buffer.from('{"email":"a@b","constructor":{"prototype":{"x":1}}}'),
  'half a surrogate pair': Buffer.from('{"email":"a@b","firstName":"\\ud800"}'),
  NUL: Buffer.from('{"email":"a@b","firstName":"\\u0000"}'),
  'a number beyond Int64': Buffer.from('{"email":"a@b","phoneNumber":9223372036854775808}'),
  'a number beyond doubles': Buffer.from('{"email":"a@b","firstName":1e999}'),
  'bytes that are no UTF-8': Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]),
  'UTF-16': Buffer.from('{"email":"a@b"}', 'utf16le'),
  'a byte order mark': Buffer.from('\ufeff{"email":"a@b"}'),
  'two documents': Buffer.from('{"email":"a@b"}{"email":"c@d"}'),
  'a body of 100 KB': Buffer.from(JSON.stringify({ email: `${'a'.repeat(100_000)}@b` })),
  'one id twice': Buffer.from(
    JSON.stringify({
      operations: [0, 1].map(() => ({ operation: 'delete', customerId: id })),
    }),
  ),
  'a line cut in half': Buffer.from(`{"customerId":"${id}","email":"a@b"}\n{"custo`),
  'lines of rubbish': Buffer.from('\n\n[]\nnull\n"x"\n{}\n{"email":1}\n'),
};

const NASTY_TYPES = [
  'text/plain',
  'application/xml',
  'multipart/form-data; boundary=x',
  'application/x-www-form-urlencoded',
  'application/json; charset=utf-7',
  'application/json;;;',
  'APPLICATION/JSON',
  'application/merge-patch+json',
  'application/x-ndjson',
  '*/*',
  'x',
];

const at = <T>(list: readonly T[], salt: number): T => list[salt % list.length] as T;

/** Header fields hold no control characters, or no client would send them. */
const printable = (text: string): string => text.replaceAll(/[^\x20-\x7e]/gu, '?').trim();

function setHeader(
  request: PlannedRequest,
  name: string,
  value: string,
): PlannedRequest['headers'] {
  return [...request.headers.filter(([own]) => own !== name), [name, value]];
}

const CONDITIONS = ['if-match', 'if-none-match', 'x-tandem-min-version', 'prefer'];
const FORGED = [
  '"forged"',
  'W/"forged"',
  '*',
  '"a","b","c"',
  '"unclosed',
  ',,,',
  'east:0199a1b2c3d4-ffff-east-k3v9x2q7',
  'east:1.west:1',
  `"${'a'.repeat(3_000)}"`,
  'ack=queued, ack=local, wait=99999999999',
  'wait=-1',
  'wait=0',
];
const ODD_METHODS = ['OPTIONS', 'PUT', 'POST', 'DELETE', 'PATCH', 'PROPFIND', 'PURGE', 'TRACE'];

const HTTP_HOSTILITIES: readonly Hostility[] = [
  ...Object.entries(NASTY_BODIES).map(([what, body]) => ({
    what,
    apply: (request: PlannedRequest) => ({
      body,
      headers:
        request.body === undefined
          ? setHeader(request, 'content-type', 'application/json')
          : request.headers,
    }),
  })),
  {
    what: 'a gzip bomb',
    apply: (request) => ({
      body: bomb,
      headers: setHeader(request, 'content-encoding', 'gzip'),
    }),
  },
  {
    what: 'another content type',
    apply: (request, salt) => ({
      body: request.body ?? Buffer.from('{}'),
      headers: setHeader(request, 'content-type', at(NASTY_TYPES, salt)),
    }),
  },
  {
    what: 'a nasty last part of the path',
    apply: ({ target }, salt) => ({
      isAstray: true,
      target: `${target.split('?')[0]?.replace(/[^/]+$/, '') ?? '/'}${encodeText(at(NASTY_TEXTS, salt))}`,
    }),
  },
  {
    what: 'a nasty query',
    apply: ({ target }, salt) => {
      const names = ['limit', 'cursor', 'email', 'changedSince', '__proto__', 'x'];
      const pair = `${at(names, salt)}=${encodeText(at(NASTY_TEXTS, Math.floor(salt / 7)))}`;
      return { target: `${target}${target.includes('?') ? '&' : '?'}${pair}` };
    },
  },
  {
    what: 'a forged condition',
    apply: (request, salt) => ({
      headers: setHeader(
        request,
        at(CONDITIONS, salt),
        at([...FORGED, ...NASTY_TEXTS.map(printable)], Math.floor(salt / 5)),
      ),
    }),
  },
  {
    what: 'a nasty Idempotency-Key',
    apply: (request, salt) => ({
      headers: setHeader(request, 'idempotency-key', printable(at(NASTY_TEXTS, salt))),
    }),
  },
  {
    what: 'a method of another kind',
    apply: (_request, salt) => ({ method: at(ODD_METHODS, salt), isAstray: true }),
  },
  {
    what: 'headers of many kinds',
    apply: (request) => ({
      headers: [
        ...request.headers,
        ['traceparent', '00-zz-zz-zz'],
        ['x-request-id', '../../log'],
        ['x-forwarded-for', '127.0.0.1, evil'],
        ['x-http-method-override', 'DELETE'],
        ['accept', 'text/html'],
        ['accept-encoding', 'br;q=x'],
        ['range', 'bytes=0-1'],
        ['authorization', 'Bearer not.a.token'],
      ],
    }),
  },
  {
    what: 'headers beyond 16 KiB',
    // A parser that gives up cannot know that a HEAD takes no body.
    apply: (request) => ({
      method: request.method === 'HEAD' ? 'GET' : request.method,
      headers: [...request.headers, ['x-much', 'a'.repeat(20_000)]],
    }),
  },
  {
    what: 'a client that goes away',
    apply: ({ body }) => ({ body: body ?? Buffer.from('{}'), isCutShort: true }),
  },
];

/** Percent-encoded where it can be, else as bytes that are no UTF-8. */
function encodeText(text: string): string {
  return text.isWellFormed() ? encodeURIComponent(text) : '%ed%a0%80';
}

export const HOSTILITIES: readonly Hostility[] = [...HTTP_HOSTILITIES, ...RAW_HOSTILITIES];
