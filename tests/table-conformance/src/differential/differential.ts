/**
 * Sends the same requests to the endpoint and to another server of the protocol, and compares the answers. What
 * cannot be alike is taken out before: ids, times, addresses; tags are compared by what a row's writes did to them.
 */
import type { Randomness } from '@tandem/core';
import { parseObject } from '@tandem/table-protocol';
import { RequestDrawer, rowName, TABLES, TAG } from './draw-request.ts';
import { findReasons } from './known-differences.ts';
import { type RawAnswer, RawClient, type RawRequest, type Server } from './raw-client.ts';

/** An answer without what cannot be alike. */
export interface PlainAnswer {
  readonly status: number;
  /** Of an error. */
  readonly code?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
  /** The answers within the answer to a transaction. */
  readonly parts?: readonly PlainAnswer[];
}

export interface Difference {
  readonly index: number;
  readonly request: RawRequest;
  readonly own: PlainAnswer;
  readonly other: PlainAnswer;
}

export interface DifferentialOptions {
  readonly endpoint: Server;
  readonly other: Server;
  readonly requests: number;
  readonly random: Randomness;
  readonly onProgress?: (done: number) => void;
}

export interface DifferentialReport {
  readonly requests: number;
  /** How many differed for each known reason. */
  readonly explained: Readonly<Record<string, number>>;
  /** At most twenty of them. */
  readonly unexplained: readonly Difference[];
  readonly unexplainedCount: number;
}

const UNEXPLAINED_KEPT_MAX = 20;

export async function runDifferential(options: DifferentialOptions): Promise<DifferentialReport> {
  const { requests, random, onProgress } = options;
  const drawer = new RequestDrawer(random);
  const sides = [new Side(options.endpoint), new Side(options.other)] as const;
  const explained: Record<string, number> = {};
  const unexplained: Difference[] = [];
  let unexplainedCount = 0;
  try {
    for (let index = 0; index < requests; index += 1) {
      const request = drawer.draw();
      const [own, other] = await Promise.all([sides[0].send(request), sides[1].send(request)]);
      onProgress?.(index + 1);
      if (isAlike(own, other)) continue;
      const difference = { index, request, own, other };
      const reasons = findReasons(difference, isAlike);
      for (const reason of reasons) explained[reason] = (explained[reason] ?? 0) + 1;
      if (reasons.length === 0) {
        unexplainedCount += 1;
        if (unexplained.length < UNEXPLAINED_KEPT_MAX) unexplained.push(difference);
      }
      // What one side did and the other did not would be met again and again.
      await evenOut(request, sides);
    }
  } finally {
    for (const side of sides) side.close();
  }
  return { requests, explained, unexplained, unexplainedCount };
}

function isAlike(own: PlainAnswer, other: PlainAnswer): boolean {
  return JSON.stringify(sorted(own)) === JSON.stringify(sorted(other));
}

/** Returns the value with the members of objects in order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, inner]) => [name, sorted(inner)]));
}

/** Makes both sides hold the same again, by making anew the tables that a request may have changed. */
async function evenOut({ method, target }: RawRequest, sides: readonly Side[]): Promise<void> {
  if (method === 'GET') return;
  const named = TABLES.find((table) => target.startsWith(`/${table}`));
  const tables = named === undefined ? TABLES : [named];
  for (const side of sides) for (const table of tables) await side.renew(table);
}

/** One of the two servers, with the tags that it gave. */
class Side {
  readonly #client: RawClient;
  /** By the names of rows, the newest last. */
  readonly #tags = new Map<string, string[]>();

  constructor(server: Server) {
    this.#client = new RawClient(server);
  }

  close(): void {
    this.#client.close();
  }

  async renew(table: string): Promise<void> {
    const headers = { accept: 'application/json', 'content-type': 'application/json' };
    await this.#client.send({ method: 'DELETE', target: `/Tables('${table}')`, headers, body: '' });
    const body = JSON.stringify({ TableName: table });
    await this.#client.send({ method: 'POST', target: '/Tables', headers, body });
  }

  async send(request: RawRequest): Promise<PlainAnswer> {
    const answer = this.#plain(await this.#client.send(this.#withTags(request)), request);
    if (request.method !== 'GET' || answer.status !== 200) return answer;
    return this.#withFurtherPages(answer, request);
  }

  /** Pages are cut where a server likes; together they are one answer. */
  async #withFurtherPages(first: PlainAnswer, request: RawRequest): Promise<PlainAnswer> {
    let answer = first;
    const rows = rowsOf(first.body);
    for (let page = 0; page < PAGES_MAX && answer.headers['next'] !== undefined; page += 1) {
      const target = `${request.target}${request.target.includes('?') ? '&' : '?'}${answer.headers['next']}`;
      answer = this.#plain(await this.#client.send({ ...request, target }), request);
      rows.push(...rowsOf(answer.body));
    }
    const { next: _, ...headers } = first.headers;
    const isList = Array.isArray((first.body as { value?: unknown }).value);
    return isList ? { ...first, headers, body: { ...(first.body as object), value: rows } } : first;
  }

  #withTags(request: RawRequest): RawRequest {
    const fill = (text: string): string =>
      text.replaceAll(TAG, (_, age: string, name: string) => {
        const tags = this.#tags.get(name) ?? [];
        return (age === 'tag' ? tags.at(-1) : tags.at(-2)) ?? NO_TAG;
      });
    const headers = Object.entries(request.headers).map(([name, value]) => [name, fill(value)]);
    return {
      ...request,
      headers: Object.fromEntries(headers) as Record<string, string>,
      body: fill(request.body),
    };
  }

  #plain(answer: RawAnswer, request: RawRequest): PlainAnswer {
    const { base } = this.#client;
    const text = answer.body.replaceAll(base, 'BASE');
    const type = answer.headers['content-type'] ?? '';
    if (type.startsWith('multipart/mixed')) {
      const operations = operationsOf(request);
      const parts = partsOf(text).map((part, index) =>
        this.#plain(part, operations[index] ?? request),
      );
      return { status: answer.status, headers: {}, body: '', parts };
    }
    this.#learnFromHeader(answer, request);
    return {
      status: answer.status,
      ...plainBody(text, (row) => this.#learnFromRow(row, request)),
      headers: plainHeaders(answer),
    };
  }

  #learnFromHeader({ status, headers }: RawAnswer, request: RawRequest): void {
    const name = nameOf(request);
    if (name === undefined || status >= 300) return;
    if (request.method === 'DELETE') this.#tags.delete(name);
    const { etag } = headers;
    if (etag !== undefined) this.#learn(name, etag);
  }

  #learnFromRow(row: Row, { target }: RawRequest): void {
    const table = /^\/(\w+)/.exec(target)?.[1];
    const { PartitionKey: partitionKey, RowKey: rowKey, 'odata.etag': tag } = row;
    const isWhole =
      table !== undefined && typeof partitionKey === 'string' && typeof rowKey === 'string';
    if (isWhole && typeof tag === 'string') this.#learn(rowName(table, partitionKey, rowKey), tag);
  }

  #learn(name: string, tag: string): void {
    const tags = this.#tags.get(name) ?? [];
    if (tags.at(-1) !== tag) this.#tags.set(name, [...tags.slice(-1), tag]);
  }
}

const PAGES_MAX = 200;
const NO_TAG = `W/"datetime'2021-01-01T00%3A00%3A00.0000000Z'"`;

type Row = Readonly<Record<string, unknown>>;

function rowsOf(body: unknown): Row[] {
  const { value } = body as { value?: unknown };
  return Array.isArray(value) ? [...(value as Row[])] : [];
}

/** Names the row that a request writes or reads. */
function nameOf({ target, body, method }: RawRequest): string | undefined {
  const address = /^\/(\w+)\(PartitionKey='([^']*)',RowKey='([^']*)'\)/.exec(target);
  if (address !== null) {
    const [, table = '', partitionKey = '', rowKey = ''] = address;
    const unquoted = (key: string): string => decodeURIComponent(key).replaceAll("''", "'");
    return rowName(table, unquoted(partitionKey), unquoted(rowKey));
  }
  const table = /^\/(\w+)$/.exec(target)?.[1];
  if (method !== 'POST' || table === undefined || table === 'Tables') return undefined;
  const { PartitionKey: partitionKey, RowKey: rowKey } = parseObject(body);
  return rowName(table, String(partitionKey), String(rowKey));
}

const COMPARED = ['preference-applied', 'dataserviceversion'];

/** Addresses of what was written are left out, which the other server does not give; records tell those. */
function plainHeaders({ status, headers }: RawAnswer): Record<string, string> {
  const plain: Record<string, string> = {};
  for (const name of COMPARED) {
    const value = headers[name];
    if (value !== undefined) plain[name] = value;
  }
  if (headers['etag'] !== undefined) plain['etag'] = 'given';
  const type = status === 204 ? undefined : headers['content-type'];
  if (type !== undefined) plain['content-type'] = /odata=\w+/.exec(type)?.[0] ?? type;
  const next = ['NextTableName', 'NextPartitionKey', 'NextRowKey']
    .map((name) => [name, headers[`x-ms-continuation-${name.toLowerCase()}`]] as const)
    .filter(([, token]) => token !== undefined && token !== '');
  if (next.length > 0) {
    plain['next'] = next
      .map(([name, token]) => `${name}=${encodeURIComponent(token ?? '')}`)
      .join('&');
  }
  return plain;
}

function plainBody(text: string, onRow: (row: Row) => void): Pick<PlainAnswer, 'body' | 'code'> {
  if (!text.startsWith('{')) return { body: text };
  const json = parseObject(text);
  const error = json['odata.error'] as { code: string; message: { value: string } } | undefined;
  if (error !== undefined) {
    // Sentences differ where one says more; which operation of a transaction is meant does not.
    const operation = /^(\d+):/.exec(error.message.value)?.[1] ?? '';
    return { code: error.code, body: operation };
  }
  const { 'odata.metadata': _, ...rest } = json;
  const { value } = rest as { value?: unknown };
  if (!Array.isArray(value)) return { body: plainRow(json, onRow) };
  const rows = (value as Row[]).map((row) => plainRow(row, onRow));
  return { body: { ...rest, value: rows } };
}

function plainRow(row: Row, onRow: (row: Row) => void): Row {
  onRow(row);
  return {
    ...row,
    ...('odata.etag' in row && { 'odata.etag': 'given' }),
    ...('Timestamp' in row && { Timestamp: 'given' }),
  };
}

/** Returns the requests of a transaction, by their lines. */
function operationsOf({ body }: RawRequest): readonly RawRequest[] {
  return body
    .split('--changeset_1\r\n')
    .slice(1)
    .map((part) => {
      const [, method = '', target = ''] =
        /\r\n([A-Z]+) \S*?devstoreaccount1(\/\S+) HTTP/.exec(part) ?? [];
      const content = part.slice(part.indexOf('\r\n\r\n', part.indexOf('HTTP/1.1')) + 4);
      const [inner = ''] = content.split('\r\n');
      return { method, target, headers: {}, body: inner };
    });
}

function partsOf(text: string): readonly RawAnswer[] {
  return text
    .split(/HTTP\/1\.1 /)
    .slice(1)
    .map((part) => {
      const [head = '', ...rest] = part.split('\r\n\r\n');
      const [line = '', ...lines] = head.split('\r\n');
      const pairs = lines.map((one) => {
        const colon = one.indexOf(':');
        return [one.slice(0, colon).toLowerCase(), one.slice(colon + 1).trim()];
      });
      const body = rest.join('\r\n\r\n').split(/\r\n--|\n--/)[0] ?? '';
      return { status: Number(line.slice(0, 3)), headers: Object.fromEntries(pairs), body };
    });
}
