/**
 * Replays a recorded file against the endpoint, exchange by exchange, signed anew: what the facts leave open (ids,
 * times, tags) is taken from the first answer that says it, and must be the same from then on.
 */
import { createHmac } from 'node:crypto';
import type { Answer, Endpoint, ServedTables } from '@tandem/table-endpoint';
import {
  decodeContinuation,
  hasSharedAccess,
  parseObject,
  parseServiceProperties,
} from '@tandem/table-protocol';
import { expect } from 'vitest';
import {
  type Exchange,
  type RecordedAnswer,
  type RecordedOperation,
  type RecordedPart,
  type RecordedRequest,
} from './recorded.ts';

/** The account of the facts, with a key of our own: signatures are not in the records. */
export const ACCOUNT = {
  account: 'acc',
  keys: [Buffer.from('the key of a replay').toString('base64')],
} as const;
const HOST = 'acc.table.core.windows.net';
/** What the records name as the place to ask for a token. */
export const CHALLENGE =
  'Bearer authorization_uri=https://login.microsoftonline.com/<tenant>/oauth2/authorize resource_id=https://storage.azure.com';
const SECONDARY_HOST = 'acc-secondary.table.core.windows.net';

export class Replay {
  readonly #endpoint: Endpoint;
  readonly #tables: ServedTables;
  /** By what was recorded, a tag, a time or a token, what has stood for it here; the newest last. */
  readonly #own = new Map<string, Set<string>>();
  readonly #seen = new Set<string>();
  #isSet = false;

  constructor(endpoint: Endpoint, tables: ServedTables) {
    this.#endpoint = endpoint;
    this.#tables = tables;
  }

  async send({ request, answer }: Exchange): Promise<void> {
    if (/comp=properties/.test(request.target)) await this.#setProperties(textOf(answer.body));
    const given = await this.#endpoint(this.#toRequest(request));
    const what = `${request.method} ${request.target}`;
    expect(given.status, `${what}\n${given.body ?? ''}`).toBe(answer.status);
    if (Array.isArray(answer.body)) this.#compareParts(given, answer.body as RecordedPart[]);
    else this.#compare(given, answer, { what, isPart: false });
  }

  /** How the account was set before anything was recorded stands in the first answer only. */
  async #setProperties(recorded: string): Promise<void> {
    if (this.#isSet) return;
    this.#isSet = true;
    if (recorded !== '') await this.#tables.setProperties(parseServiceProperties(recorded));
  }

  #toRequest(request: RecordedRequest): Parameters<Endpoint>[0] {
    const { method } = request;
    const isSecondary = request.host !== undefined;
    const headers: Record<string, string> = { host: isSecondary ? SECONDARY_HOST : HOST };
    for (const [name, value] of Object.entries(request.headers)) {
      headers[name.toLowerCase()] = this.#toOwn(value);
    }
    const isBatch = Array.isArray(request.body);
    if (isBatch) headers['content-type'] = 'multipart/mixed; boundary=b';
    const body = isBatch
      ? this.#toOwn(multipart(request.body as RecordedOperation[]))
      : this.#toOwn(textOf(request.body));
    const target = this.#toOwn(resigned(request.target));
    if (headers['authorization'] !== undefined) {
      headers['x-ms-date'] = new Date().toUTCString();
      headers['authorization'] = authorize({ method, target, headers });
    }
    return { method, target, headers, body, ip: '127.0.0.1', isHttps: true };
  }

  #compare(given: Given, recorded: RecordedAnswer, at: Place): void {
    const { what } = at;
    for (const [name, value] of Object.entries(recorded.headers)) {
      const own = given.headers[name] ?? '';
      const told = name === 'ETag' ? this.#toRecorded(value, own, at) : own;
      if (name.startsWith('x-ms-continuation-')) this.#learn(value, own);
      const [a, b] = [normalize(name, told), normalize(name, value)];
      // The service names where it looks next, which may be a table that is gone.
      const isReached = name === 'x-ms-continuation-NextTableName' && a >= b;
      // A place within a table is a text of our own, which no client reads.
      const isPlace = /^x-ms-continuation-Next(?:Partition|Row)Key$/.test(name) && a !== '';
      expect(isReached || isPlace ? b : a, `${name} of ${what}`).toBe(b);
    }
    const text = textOf(recorded.body);
    if (text.startsWith('\uFEFF') || text === '') {
      expect(withoutTimes(given.body ?? ''), what).toBe(withoutTimes(text.replaceAll(' />', '/>')));
      return;
    }
    const [own, expected] = [plain(given.body ?? ''), plain(text)];
    expect(this.#withRecordedTags(own, expected, at), what).toEqual(expected);
  }

  #compareParts(given: Answer, recorded: readonly RecordedPart[]): void {
    const parts = partsOf(given);
    expect(parts.map(({ status }) => status)).toEqual(recorded.map(({ status }) => status));
    for (const [index, part] of recorded.entries()) {
      this.#compare(parts[index]!, part, { what: `part ${index}`, isPart: true });
    }
  }

  #learn(recorded: string, own: string): void {
    const stood = this.#own.get(recorded) ?? new Set();
    this.#own.set(recorded, stood.add(own));
    this.#seen.add(own);
  }

  /**
   * Returns the recorded tag where the own one may stand for it. Rows of one transaction have one time, or
   * several: the service does both. Elsewhere a new version has a new tag, and an old one the same as before.
   */
  #toRecorded(recorded: string, own: string, { isPart }: Place): string {
    const stood = this.#own.get(recorded);
    if (stood?.has(own) === true) return recorded;
    if (!isPart && (stood !== undefined || this.#seen.has(own))) return own;
    this.#learn(recorded, own);
    this.#learn(timeIn(recorded), timeIn(own));
    return recorded;
  }

  /** Returns an answer with the recorded tags and times where its own may stand for them. */
  #withRecordedTags(own: unknown, recorded: unknown, at: Place): unknown {
    const rows = rowsOf(recorded);
    const told = rowsOf(own).map((row, index) => {
      const [tag, time] = [rows[index]?.['odata.etag'], rows[index]?.['Timestamp']];
      const result = { ...row };
      if (typeof tag === 'string') {
        result['odata.etag'] = this.#toRecorded(tag, String(row['odata.etag']), at);
      }
      if (typeof time === 'string' && this.#own.get(time)?.has(String(row['Timestamp'])) === true) {
        result['Timestamp'] = time;
      }
      return result;
    });
    return Array.isArray((own as Row)['value']) ? { ...(own as Row), value: told } : told[0];
  }

  #toOwn(text: string): string {
    let result = text;
    for (const [recorded, stood] of this.#own) {
      const own = [...stood].at(-1) ?? recorded;
      for (const form of FORMS) result = result.replaceAll(form(recorded), form(own));
    }
    return result;
  }
}

interface Place {
  readonly what: string;
  /** It is the answer to one operation of a transaction. */
  readonly isPart: boolean;
}

type Given = Pick<Answer, 'headers' | 'body'>;
type Row = Readonly<Record<string, unknown>>;

function rowsOf(body: unknown): readonly Row[] {
  const { value } = body as { value?: unknown };
  return Array.isArray(value) ? (value as Row[]) : [body as Row];
}

/** Tags stand as they are in headers, with their quotes escaped in JSON, tokens encoded in addresses. */
const FORMS: readonly ((text: string) => string)[] = [
  (text) => text,
  (text) => text.replaceAll('"', '\\"'),
  (text) => encodeURIComponent(text).replaceAll('!', '%21'),
];

function timeIn(tag: string): string {
  return decodeURIComponent(/datetime'([^']*)'/.exec(tag)?.[1] ?? '');
}

/** Older records have spaces between the parameters of a type. */
function normalize(name: string, value: string): string {
  if (name === 'Content-Type') return value.replaceAll('; ', ';').replace(/;boundary=.*/, '');
  return name === 'x-ms-continuation-NextTableName' ? keyIn(value) : value;
}

/** A token of the service for a table names it, and when the token was made. */
function keyIn(token: string): string {
  const key = token === '' ? '' : decodeContinuation(token).split('\u0001', 1)[0]!;
  return key.replace(/^T(\d*)$/, 'Table$1');
}

const REQUEST_ID = /(RequestId:)(?:(?!\\n|\n).)*/g;
const TIME = /(Time:)[^"\\]*/g;

/** Returns an answer without what means nothing, and every number as it is written. */
function plain(text: string): unknown {
  return parseObject(text.replaceAll(REQUEST_ID, '$1').replaceAll(TIME, '$1'));
}

function withoutTimes(xml: string): string {
  return xml.replace(/<LastSyncTime>.*<\/LastSyncTime>/, '');
}

function textOf(body: unknown): string {
  return typeof body === 'string' ? body : '';
}

const PART_TYPE = 'Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n';

/** Returns a transaction as the client of the records sends it. */
function multipart(operations: readonly RecordedOperation[]): string {
  const changes = operations.map(({ method, target, headers, body }) => {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    const part = [PART_TYPE, `${method} ${target} HTTP/1.1`, ...lines, '', body].join('\r\n');
    return `--c\r\n${part}\r\n`;
  });
  return `--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n${changes.join('')}--c--\r\n\r\n--b--\r\n`;
}

interface Part {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Reads the parts of an answer as the client of the records would. */
function partsOf({ headers, body = '' }: Answer): readonly Part[] {
  expect(headers['Content-Type']).toMatch(/^multipart\/mixed; boundary=batchresponse_/);
  const inner = /boundary=(changesetresponse_\S+)/.exec(body)?.[1] ?? '';
  const texts = body.split(`--${inner}`).slice(1, -1);
  return texts.map((text) => {
    const [, status = '', lines = '', content = ''] =
      /HTTP\/1\.1 (\d{3}) [^\r]*\r\n((?:[^\r]+\r\n)*)\r\n([\s\S]*?)\r\n$/.exec(text) ?? [];
    const named = lines.split('\r\n').filter((line) => line !== '');
    const pairs = named.map((line) => line.split(/: (.*)/s).slice(0, 2) as [string, string]);
    return { status: Number(status), headers: Object.fromEntries(pairs), body: content };
  });
}

function sign(text: string): string {
  const key = Buffer.from(ACCOUNT.keys[0], 'base64');
  return createHmac('sha256', key).update(text, 'utf8').digest('base64');
}

interface Signing {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
}

function authorize({ target, headers }: Signing): string {
  const [path = '', query = ''] = target.split('?');
  const comp = new URLSearchParams(query).get('comp');
  const isSecondary = headers['host'] === SECONDARY_HOST;
  const resource = `/acc${isSecondary ? '/acc-secondary' : ''}${path}${comp === null ? '' : `?comp=${comp}`}`;
  return `SharedKeyLite acc:${sign(`${headers['x-ms-date']}\n${resource}`)}`;
}

function resigned(target: string): string {
  const query = new Map(new URLSearchParams(target.split('?')[1]));
  if (!hasSharedAccess(query)) return target;
  const signature = encodeURIComponent(sign(textToSign(query)));
  return target.replace(/([?&]sig=)[^&]*/, `$1${signature}`);
}

function textToSign(query: ReadonlyMap<string, string>): string {
  const values = (names: string): string[] => names.split(' ').map((name) => query.get(name) ?? '');
  if (query.has('ss')) return ['acc', ...values('sp ss srt st se sip spr sv'), ''].join('\n');
  const table = query.get('tn')?.toLowerCase();
  const named = [`/table/acc/${table}`, ...values('si sip spr sv spk srk epk erk')];
  return [...values('sp st se'), ...named].join('\n');
}
