/**
 * Follows a recorded file exchange by exchange: reads each request by the protocol, keeps what it writes in a
 * `Map`, and expects each recorded answer to be what the protocol makes of the kept rows.
 */
import { createHmac } from 'node:crypto';
import { matches } from '@tandem/core';
import {
  type Access,
  type BatchRequest,
  checkGrant,
  decodeContinuation,
  decodeEntity,
  type EntityFormat,
  encodeAcl,
  encodeBatch,
  encodeContinuation,
  encodeEntities,
  encodeEntity,
  encodeServiceProperties,
  encodeServiceStats,
  entityAddress,
  entityTagOf,
  errorJson,
  hasSharedAccess,
  isInRange,
  parseAcl,
  parseBatch,
  parseFilter,
  parseIfMatch,
  parseObject,
  parseServiceProperties,
  parseTableUrl,
  printFilter,
  type Resource,
  type ServiceProperties,
  type StoredEntity,
  TableError,
  type TableOperation,
  type TableRange,
  type TableUrl,
  verifySharedAccess,
} from '@tandem/table-protocol';
import { expect } from 'vitest';
import {
  BASE,
  type Exchange,
  type RecordedAnswer,
  type RecordedOperation,
  type RecordedPart,
  type RecordedRequest,
} from './recorded.ts';

/** How the facts write what differs from one answer to the next. */
const ANSWER = { requestId: '<id>', time: '<time>' };

export class Follower {
  readonly #tables = new Set<string>();
  /** By their addresses. */
  #rows = new Map<string, StoredEntity>();
  #acl = encodeAcl([]);
  #properties: ServiceProperties | undefined;

  follow({ request, answer }: Exchange): void {
    const what = `${request.method} ${request.target}`;
    const error = refusalOf(() => this.#handle(request, answer));
    const said = error && [error.status, error.code, errorJson(error, ANSWER)];
    const recorded = answer.status < 400 ? undefined : [answer.status, answer.code, answer.body];
    expect(said, what).toEqual(recorded);
  }

  #handle(request: RecordedRequest, answer: RecordedAnswer): void {
    const isSecondary = request.host !== undefined;
    const url = parseTableUrl(request.target, { account: 'acc', isSecondary });
    const { kind } = url.resource;
    expect(kind, request.target).toBe(kindOf(request.target));
    const isAnonymous = request.headers['Authorization'] === undefined;
    if (isAnonymous && !hasSharedAccess(url.query)) {
      throw new TableError('NoAuthenticationInformation');
    }
    const range = rangeOf(request, url);
    if (kind === 'batch') this.#transact(request, answer);
    else if (kind === 'service') this.#handleService(request, answer, url);
    else if (kind === 'tables') this.#handleTables(request, answer, url);
    else if (kind === 'table') this.#deleteTable(url.resource.table);
    else if (kind === 'beneath') insertBeneath(request);
    else if (url.query.get('comp') === 'acl') this.#handleAcl(request, answer);
    else if (request.method === 'GET') this.#read(url, range, answer);
    else this.#write(toOperation(request), url, answer);
  }

  #handleService({ method, body }: RecordedRequest, answer: RecordedAnswer, url: TableUrl): void {
    if (url.query.get('comp') === 'stats') {
      const lastSyncTime = new Date(/<LastSyncTime>(.*)<\/L/.exec(textOf(answer.body))?.[1] ?? '');
      expectXml(encodeServiceStats({ status: 'live', lastSyncTime }), answer);
    } else if (method === 'PUT') this.#properties = parseServiceProperties(textOf(body));
    else {
      this.#properties ??= parseServiceProperties(textOf(answer.body));
      expectXml(encodeServiceProperties(this.#properties), answer);
    }
  }

  #handleTables({ method, body }: RecordedRequest, answer: RecordedAnswer, url: TableUrl): void {
    if (method === 'POST') {
      const name = String(parseObject(textOf(body))['TableName']);
      if (this.#tables.has(name)) throw new TableError('TableAlreadyExists');
      this.#tables.add(name);
      expect(answer.headers['Location']).toBe(`${BASE}/Tables('${name}')`);
      return;
    }
    const first = tableOf(keyOf(url, 'NextTableName'));
    const isWanted = predicateOf(url);
    const names = [...this.#tables].toSorted().filter((name) => name >= first);
    const meant = names.filter((value) => isWanted(() => ({ type: 'String', value })));
    const top = topOf(url);
    expect(parseObject(textOf(answer.body))['value']).toEqual(
      meant.slice(0, top).map((TableName) => ({ TableName })),
    );
    const token = answer.headers['x-ms-continuation-NextTableName'];
    const named = token === undefined ? undefined : tableOf(decodeContinuation(token));
    const next = named === undefined ? undefined : meant.find((name) => name >= named);
    expect(next).toBe(meant[top]);
  }

  #deleteTable(table: string): void {
    if (!this.#tables.delete(table)) throw new TableError('ResourceNotFound');
  }

  #handleAcl({ method, body }: RecordedRequest, answer: RecordedAnswer): void {
    if (method === 'PUT') this.#acl = encodeAcl(parseAcl(textOf(body)));
    else expectXml(this.#acl, answer);
  }

  /** Takes the time of a write from its answer, which is absent in a transaction that was refused. */
  #write({ method, headers, body }: BatchRequest, url: TableUrl, answer?: RecordedAnswer): void {
    const sent = method === 'DELETE' ? undefined : decodeEntity(body);
    const { table, partitionKey, rowKey } = { ...sent, ...entityOf(url) };
    if (partitionKey === undefined || rowKey === undefined) {
      throw new TableError('PropertiesNeedValue');
    }
    const keys = { partitionKey, rowKey };
    const address = entityAddress(table, keys);
    const stored = this.#rows.get(address);
    checkCondition(method, headers['if-match'], stored);
    if (sent === undefined) {
      this.#rows.delete(address);
      return;
    }
    const kept = method === 'PATCH' ? (stored?.properties ?? []) : [];
    const properties = new Map([...kept, ...sent.properties]);
    if (answer === undefined) return;
    const answered = answer.headers;
    const etag = answered['ETag'] ?? '';
    const timestamp = decodeURIComponent(etag.slice(`W/"datetime'`.length, -2));
    expect(entityTagOf(timestamp)).toBe(etag);
    const written = { ...keys, timestamp, etag, properties };
    this.#rows.set(address, written);
    if (method !== 'POST') return;
    expect([answered['Location'], answered['DataServiceId']]).toEqual([
      `${BASE}/${address}`,
      answered['Preference-Applied'] && `${BASE}/${address}`,
    ]);
    if (answer.status === 201) expectJson(encodeEntity(written, formatOf(url)), answer);
  }

  #read(url: TableUrl, range: TableRange, answer: RecordedAnswer): void {
    const { partitionKey, rowKey } = entityOf(url);
    const format = formatOf(url);
    const inRange = [...this.#rows.values()].filter((row) =>
      isInRange(range, [row.partitionKey, row.rowKey]),
    );
    if (partitionKey === undefined || rowKey === undefined) {
      const { rows, next } = pageOf(inRange, url);
      expectJson(encodeEntities(rows, format), answer);
      expectNext(answer, { NextPartitionKey: next?.partitionKey, NextRowKey: next?.rowKey });
      return;
    }
    const row = inRange.find((at) => at.partitionKey === partitionKey && at.rowKey === rowKey);
    if (row === undefined) throw new TableError('ResourceNotFound');
    expectJson(encodeEntity(row, format), answer);
    expect(answer.headers['ETag']).toBe(row.etag);
  }

  #transact({ body }: RecordedRequest, answer: RecordedAnswer): void {
    const parts = (answer.body ?? []) as readonly RecordedPart[];
    const before = new Map(this.#rows);
    const error = refusalOf(() => this.#writeAll(body as readonly RecordedOperation[], parts));
    if (error !== undefined) this.#rows = before;
    const said = error && [error.status, error.code, errorJson(error, ANSWER)];
    const failed = parts.find(({ status }) => status >= 400);
    expect(said).toEqual(failed && [failed.status, failed.code, failed.body]);
    const { contentType, body: text } = encodeBatch(parts, { isChangeSet: true, id: '1' });
    expect([contentType, text]).toEqual(['multipart/mixed; boundary=batchresponse_1', told(parts)]);
  }

  #writeAll(operations: readonly RecordedOperation[], parts: readonly RecordedPart[]): void {
    const { isChangeSet, requests } = parseBatch('multipart/mixed; boundary=b', sent(operations));
    expect(isChangeSet).toBe(true);
    expect(requests).toEqual(operations.map(toOperation));
    const isDone = parts.every(({ status }) => status < 400);
    for (const [index, request] of requests.entries()) {
      const url = parseTableUrl(request.target, { account: 'acc' });
      const part = isDone ? parts[index] : undefined;
      const error = refusalOf(() => this.#write(request, url, part));
      if (error !== undefined) throw error.ofOperation(index);
    }
  }
}

function refusalOf(act: () => void): TableError | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof TableError) return error;
    throw error;
  }
}

/** Tells by its looks what an address names. */
function kindOf(target: string): Resource['kind'] {
  const path = target.replace(/\?.*/s, '');
  if (path === '/') return 'service';
  if (path === '/$batch') return 'batch';
  if (/^\/\w+\/./.test(path)) return 'beneath';
  if (path.startsWith('/Tables')) return path.includes('(') ? 'table' : 'tables';
  return path.includes('(PartitionKey=') ? 'entity' : 'entities';
}

function entityOf({ resource }: TableUrl): {
  table: string;
  partitionKey?: string;
  rowKey?: string;
} {
  if (resource.kind === 'entities' || resource.kind === 'entity') return resource;
  throw new Error('The address names no entities.');
}

function insertBeneath({ method, body }: RecordedRequest): never {
  if (method !== 'POST') throw new TableError('NotImplemented');
  expect(decodeEntity(textOf(body))).toMatchObject({ partitionKey: undefined, rowKey: undefined });
  throw new TableError('PropertiesNeedValue');
}

/** A token names a table, which may be gone, and when it was made. */
function tableOf(key = ''): string {
  return key.split('\u0001', 1)[0] ?? '';
}

function formatOf(url: TableUrl): EntityFormat {
  const { table } = entityOf(url);
  const chosen = url.query.get('$select')?.trim() ?? '';
  const select = chosen === '' ? undefined : new Set(chosen.split(','));
  const level = url.query.get('$format')?.includes('fullmetadata') ? 'full' : 'minimal';
  return { level, base: BASE, account: 'acc', table, select };
}

function textOf(body: unknown): string {
  return typeof body === 'string' ? body : '';
}

function toOperation({ method, target, headers, body }: RecordedRequest): BatchRequest {
  const lowered = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
  return {
    method,
    target: target.replace(BASE, ''),
    headers: Object.fromEntries(lowered) as Record<string, string>,
    body: textOf(body),
  };
}

function checkCondition(
  method: string,
  header: string | undefined,
  stored: StoredEntity | undefined,
): void {
  if (method === 'POST' && stored !== undefined) throw new TableError('EntityAlreadyExists');
  const condition = parseIfMatch(header);
  if (condition.kind === 'none') return;
  if (stored === undefined) throw new TableError('ResourceNotFound');
  if (condition.kind === 'tag' && condition.tag !== stored.etag) {
    throw new TableError('UpdateConditionNotSatisfied');
  }
}

type ValueOf = Parameters<typeof matches>[1];

function predicateOf(url: TableUrl): (valueOf: ValueOf) => boolean {
  const filter = url.query.get('$filter');
  if (filter === undefined) return () => true;
  const predicate = parseFilter(filter);
  expect(parseFilter(printFilter(predicate))).toEqual(predicate);
  return (valueOf) => matches(predicate, valueOf);
}

function topOf(url: TableUrl): number {
  return Number(url.query.get('$top') ?? 1_000);
}

function keyOf(url: TableUrl, name: string): string | undefined {
  const token = url.query.get(name);
  return token === undefined ? undefined : decodeContinuation(token);
}

interface Page {
  readonly rows: readonly StoredEntity[];
  readonly next: StoredEntity | undefined;
}

function pageOf(rows: readonly StoredEntity[], url: TableUrl): Page {
  const first = [keyOf(url, 'NextPartitionKey') ?? '', keyOf(url, 'NextRowKey') ?? ''] as const;
  const isWanted = predicateOf(url);
  const meant = rows
    .filter((row) => compareKeys([row.partitionKey, row.rowKey], first) >= 0)
    .filter((row) => isWanted((name) => valueOf(row, name)))
    .toSorted((a, b) => compareKeys([a.partitionKey, a.rowKey], [b.partitionKey, b.rowKey]));
  const top = topOf(url);
  return { rows: meant.slice(0, top), next: meant[top] };
}

type Keys = readonly [partitionKey: string, rowKey: string];

function compareKeys([aPartition, aRow]: Keys, [bPartition, bRow]: Keys): number {
  const [a, b] = aPartition === bPartition ? [aRow, bRow] : [aPartition, bPartition];
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function valueOf(row: StoredEntity, name: string): ReturnType<ValueOf> {
  if (name === 'PartitionKey') return { type: 'String', value: row.partitionKey };
  if (name === 'RowKey') return { type: 'String', value: row.rowKey };
  if (name === 'Timestamp') return { type: 'DateTime', value: row.timestamp };
  return row.properties.get(name);
}

/** Compares what is said, and how each number is written; the order of members is the store's. */
function expectJson(text: string, { body }: RecordedAnswer): void {
  expect(parseObject(text)).toEqual(parseObject(textOf(body)));
}

function expectXml(text: string, { body }: RecordedAnswer): void {
  expect(text).toBe(textOf(body).replaceAll(' />', '/>'));
}

function expectNext({ headers }: RecordedAnswer, next: Record<string, string | undefined>): void {
  for (const [name, key] of Object.entries(next)) {
    const token = key === undefined ? undefined : encodeContinuation(key);
    expect(headers[`x-ms-continuation-${name}`], name).toBe(token);
  }
}

const PART_TYPE = 'Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n';

function linesOf(first: string, headers: Readonly<Record<string, string>>, body: string): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return [PART_TYPE, first, ...lines, '', body].join('\r\n');
}

/** Returns a transaction as the client of the records sends it. */
function sent(operations: readonly RecordedOperation[]): string {
  const parts = operations.map(({ method, target, headers, body }) =>
    linesOf(`${method} ${target} HTTP/1.1`, headers, body),
  );
  const changes = parts.map((part) => `--c\r\n${part}\r\n`).join('');
  return `--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n${changes}--c--\r\n\r\n--b--\r\n`;
}

/** Returns the answer to a transaction as the service writes it. */
function told(recorded: readonly RecordedPart[]): string {
  const inner = 'changesetresponse_1';
  const outer = 'batchresponse_1';
  const parts = recorded.map(({ status, reason, headers, body = '' }) =>
    linesOf(`HTTP/1.1 ${status} ${reason}`, headers, body),
  );
  const changes = parts.map((part) => `--${inner}\r\n${part}\r\n`).join('');
  return `--${outer}\r\nContent-Type: multipart/mixed; boundary=${inner}\r\n\r\n${changes}--${inner}--\r\n--${outer}--\r\n`;
}

const SECRET = Buffer.from('the key of a replay').toString('base64');

/** Returns which rows the caller may see; signatures are not in the records, so they are made again. */
function rangeOf(request: RecordedRequest, { query, resource }: TableUrl): TableRange {
  if (!hasSharedAccess(query)) return {};
  const sig = createHmac('sha256', Buffer.from(SECRET, 'base64'))
    .update(textToSign(query))
    .digest('base64');
  const grant = verifySharedAccess(
    {
      query: new Map([...query, ['sig', sig]]),
      ip: '127.0.0.1',
      isHttps: true,
      nowMs: Date.UTC(2026, 0),
      policyOf: () => undefined,
    },
    { account: 'acc', keys: [SECRET] },
  );
  checkGrant(grant, accessOf(request, resource));
  return grant.kind === 'table' ? grant.range : {};
}

function textToSign(query: ReadonlyMap<string, string>): string {
  const values = (names: string): string[] => names.split(' ').map((name) => query.get(name) ?? '');
  if (query.has('ss')) {
    return ['acc', ...values('sp ss srt st se sip spr sv'), ''].join('\n');
  }
  const table = query.get('tn')?.toLowerCase();
  const named = [`/table/acc/${table}`, ...values('si sip spr sv spk srk epk erk')];
  return [...values('sp st se'), ...named].join('\n');
}

const OPERATIONS: Readonly<Record<string, TableOperation | undefined>> = {
  'GET service': 'getServiceProperties',
  'GET tables': 'queryTables',
  'POST tables': 'createTable',
  'DELETE table': 'deleteTable',
  'GET entities': 'queryEntities',
  'GET entity': 'queryEntities',
  'POST entities': 'insertEntity',
  'PUT entity': 'upsertEntity',
  'DELETE entity': 'deleteEntity',
};

function accessOf({ method, body }: RecordedRequest, resource: Resource): Access {
  const operation = OPERATIONS[`${method} ${resource.kind}`];
  if (operation === undefined) throw new Error(`Nobody says what ${method} does.`);
  if (!('table' in resource)) return { operation };
  const { table } = resource;
  const named = resource.kind === 'entity' ? resource : undefined;
  const { partitionKey, rowKey } = named ?? (method === 'POST' ? decodeEntity(textOf(body)) : {});
  if (partitionKey === undefined || rowKey === undefined) return { operation, table };
  return { operation, table, row: [partitionKey, rowKey] };
}
