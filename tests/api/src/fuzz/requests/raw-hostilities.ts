import type { Hostility, PlannedRequest } from './planned-request.ts';

const BODY = '{"email":"a@example.com"}';

/** Bytes that no client would send, by what is wrong with them. */
const RAW: Readonly<Record<string, (request: PlannedRequest) => string>> = {
  'no HTTP at all': () => '\u0016\u0003\u0001 hello\r\n\r\n',
  'an unknown version of HTTP': ({ target }) => `GET ${target} HTTP/3.7\r\nhost: a\r\n\r\n`,
  'a method in lower case': ({ target }) => `get ${target} HTTP/1.1\r\nhost: a\r\n\r\n`,
  'no host': ({ target }) => `GET ${target} HTTP/1.1\r\n\r\n`,
  'two lengths': () =>
    `POST /customers HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n${BODY}`,
  'a length and chunks': () =>
    'POST /customers HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n' +
    `transfer-encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n`,
  'chunks that are none': () =>
    'POST /customers HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n' +
    'transfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n',
  'a length below zero': () =>
    `POST /customers HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n${BODY}`,
  'a header with a NUL': ({ target }) => `GET ${target} HTTP/1.1\r\nhost: a\r\nx: a\u0000b\r\n\r\n`,
  'a header without a name': ({ target }) => `GET ${target} HTTP/1.1\r\nhost: a\r\n: b\r\n\r\n`,
  'an escape that is none': () => 'GET /customers/%zz%c0%af HTTP/1.1\r\nhost: a\r\n\r\n',
  'an absolute target': () => 'GET http://elsewhere.example/customers HTTP/1.1\r\nhost: a\r\n\r\n',
  'a target without a slash': () => 'GET customers HTTP/1.1\r\nhost: a\r\n\r\n',
  'a target of asterisk': () => 'OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n',
  'an upgrade': () =>
    'GET /customers HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
  'a tunnel': () => 'CONNECT example.com:443 HTTP/1.1\r\nhost: example.com:443\r\n\r\n',
  'an expectation': () =>
    'POST /customers HTTP/1.1\r\nhost: a\r\nexpect: the-impossible\r\ncontent-length: 2\r\n\r\n{}',
};

export const RAW_HOSTILITIES: readonly Hostility[] = Object.entries(RAW).map(([what, make]) => ({
  what,
  apply: (request) => ({ raw: Buffer.from(make(request), 'latin1'), isAstray: true }),
}));
