/** Answers for rows: one of them, a page of them, and transactions over several. */
import { STATUS_CODES } from 'node:http';
import { type ComparisonOperator, encodeOpenId, fingerprintOf, type Predicate } from '@tandem/core';
import {
  type Access,
  type BatchAnswer,
  type BatchRequest,
  checkKey,
  checkOperationCount,
  checkTableName,
  decodeContinuation,
  decodeEntity,
  encodeBatch,
  encodeContinuation,
  encodeEntities,
  encodeEntity,
  entityAddress,
  errorJson,
  type IfMatch,
  parseBatch,
  parseFilter,
  parseIfMatch,
  parseTableUrl,
  type Resource,
  type StoredEntity,
  TableError,
  type TableOperation,
  type TableRange,
} from '@tandem/table-protocol';
import { answerPolicies, checkJsonBody, only, readQuery, topOf } from './documents.ts';
import {
  type Answer,
  type Context,
  checkPermit,
  type EndpointRequest,
  errorFacts,
  formatOf,
  JSON_TYPES,
  levelOf,
  preferenceOf,
  toTableError,
} from './exchange.ts';
import type { Keys, RowCondition, RowWrite, ServedTable, WriteAnswer } from './served-tables.ts';

type OfTable = Extract<Resource, { kind: 'entities' | 'beneath' }>;
type OfEntity = Extract<Resource, { kind: 'entity' }>;

/** Answers `/T` and `/T()`: a page of rows, an insertion, or the policies of the table. */
export async function answerEntities(context: Context, resource: OfTable): Promise<Answer> {
  const { request, url } = context;
  const { table } = resource;
  checkTableName(table);
  if (url.query.get('comp') === 'acl') return answerPolicies(context, table);
  if (request.method === 'GET') {
    if (resource.kind === 'beneath') throw new TableError('NotImplemented');
    return queryRows(context, table);
  }
  only(request.method, ['POST']);
  return answerWrite(context, resource);
}

/** Answers `/T(PartitionKey='..',RowKey='..')`. */
export async function answerEntity(context: Context, resource: OfEntity): Promise<Answer> {
  checkTableName(resource.table);
  if (context.request.method === 'GET') return readRow(context, resource);
  return answerWrite(context, resource);
}

async function readRow(context: Context, resource: OfEntity): Promise<Answer> {
  const { url, permit, level } = context;
  const { table: name, partitionKey, rowKey } = resource;
  const { select } = readQuery(url.query);
  checkKeys(resource);
  const row = [partitionKey, rowKey] as const;
  checkPermit(permit, { operation: 'queryEntities', table: name, row });
  const found = await (await tableOf(context, name)).get({ partitionKey, rowKey });
  if (found === undefined) throw new TableError('ResourceNotFound');
  return {
    status: 200,
    headers: { 'Content-Type': JSON_TYPES[level], ETag: found.etag },
    body: encodeEntity(found, formatOf(context, name, select)),
  };
}

/** Stands for the id of any table. */
const ANY_TABLE = 'aaaaaaaa';

function checkKeys({ partitionKey, rowKey }: Keys): void {
  checkKey('PartitionKey', partitionKey);
  checkKey('RowKey', rowKey);
  encodeOpenId(ANY_TABLE, { partitionKey, rowKey });
}

async function tableOf({ tables }: Context, name: string): Promise<ServedTable> {
  const table = await tables.find(name);
  if (table === undefined) throw new TableError('TableNotFound');
  return table;
}

const EVERYTHING: Predicate = { kind: 'constant', value: true };

async function queryRows(context: Context, name: string): Promise<Answer> {
  const { url, permit, level } = context;
  const { query } = url;
  const { filter, select } = readQuery(query);
  checkPermit(permit, { operation: 'queryEntities', table: name });
  const limit = topOf(query);
  const asked = filter === undefined ? EVERYTHING : parseFilter(filter);
  const where = permit.kind === 'table' ? within(permit.range, asked) : asked;
  const table = await tableOf(context, name);
  const { rows, cursor } =
    limit === 0
      ? NO_ROWS
      : await table.query({
          where,
          cursor: cursorOf(query),
          limit: Math.min(limit, rowsOfSelect(select)),
          select,
        });
  return {
    status: 200,
    headers: {
      'Content-Type': JSON_TYPES[level],
      ...(cursor !== undefined && {
        'x-ms-continuation-NextPartitionKey': encodeContinuation(cursor),
        // Clients send back what they were given of both, and some take an absent one for the end.
        'x-ms-continuation-NextRowKey': encodeContinuation(''),
      }),
    },
    body: encodeEntities(rows, formatOf(context, name, select)),
  };
}

/** What a page may repeat of the names that were asked for, in UTF-16 units, as large as its rows may be. */
const SELECT_UNITS_MAX = 4 * 1_024 * 1_024;
/** Quotes, a colon, `null` and a comma. */
const NULL_UNITS = 8;

/** A row says of each name that it has nothing of it: many names end the page early, so that no answer grows without bound. */
function rowsOfSelect(select: ReadonlySet<string> = NO_NAMES): number {
  const units = [...select].reduce((sum, name) => sum + name.length + NULL_UNITS, 0);
  return Math.max(1, Math.floor(SELECT_UNITS_MAX / Math.max(1, units)));
}

const NO_NAMES: ReadonlySet<string> = new Set();

const NO_ROWS = { rows: [], cursor: undefined } as const;

function cursorOf(query: ReadonlyMap<string, string>): string | undefined {
  const token = query.get('NextPartitionKey');
  if (token !== undefined) return decodeContinuation(token);
  if (!query.get('NextRowKey')) return undefined;
  // The first page again would be read for ever.
  throw new TableError('InvalidInput', 'NextRowKey is sent back with its NextPartitionKey.');
}

/** Narrows what was asked to the rows that the caller may see. */
function within(range: TableRange, asked: Predicate): Predicate {
  const { startPartition, startRow, endPartition, endRow } = range;
  const parts: Predicate[] = [asked];
  if (startPartition !== undefined) {
    parts.push(compare('PartitionKey', 'ge', startPartition));
    if (startRow !== undefined) {
      parts.push(
        either(compare('PartitionKey', 'gt', startPartition), compare('RowKey', 'ge', startRow)),
      );
    }
  }
  if (endPartition !== undefined) {
    parts.push(compare('PartitionKey', 'le', endPartition));
    if (endRow !== undefined) {
      parts.push(
        either(compare('PartitionKey', 'lt', endPartition), compare('RowKey', 'le', endRow)),
      );
    }
  }
  return parts.length === 1 ? asked : { kind: 'and', parts };
}

function either(...parts: readonly Predicate[]): Predicate {
  return { kind: 'or', parts };
}

function compare(name: string, operator: ComparisonOperator, text: string): Predicate {
  return { kind: 'compare', name, operator, value: { type: 'String', value: text } };
}

/** One write as it was asked for, with what its answer depends on. */
interface ReadWrite {
  readonly operation: TableOperation;
  /** As the address spells it. */
  readonly table: string;
  readonly write: RowWrite;
  readonly request: WriteRequest;
}

type WriteRequest = Omit<EndpointRequest, 'ip' | 'isHttps'>;

async function answerWrite(context: Context, resource: OfTable | OfEntity): Promise<Answer> {
  const { request, permit } = context;
  const read = readWrite(request, resource);
  checkPermit(permit, accessOf(read));
  const table = await tableOf(context, read.table);
  const rows = rowsOf(await table.write([read.write], requestOf(context)));
  return answerOf(context, read, rows[0]);
}

/**
 * Returns the fingerprint of a request that its client may repeat: SDKs send one id with all tries of one request. The id
 * alone would not do, for some let several requests share it. What is signed anew for each try is no part of it.
 */
function requestOf({ request, url }: Context): string | undefined {
  const { method, headers, body } = request;
  const id = headers['x-ms-client-request-id'] ?? '';
  if (id === '') return undefined;
  return fingerprintOf([id, method, url.account, url.path, headers['if-match'] ?? '', body]);
}

function accessOf({ operation, table, write: { keys } }: ReadWrite): Access {
  return { operation, table, row: [keys.partitionKey, keys.rowKey] };
}

function readWrite(request: WriteRequest, resource: OfTable | OfEntity): ReadWrite {
  const { table } = resource;
  const { method, headers } = request;
  const ifMatch = parseIfMatch(method, headers);
  if (resource.kind !== 'entity') {
    only(method, ['POST']);
    checkJsonBody(headers);
    const { partitionKey, rowKey, properties } = decodeEntity(request.body);
    if (partitionKey === undefined || rowKey === undefined) {
      throw new TableError('PropertiesNeedValue');
    }
    const keys = { partitionKey, rowKey };
    checkKeys(keys);
    const condition = { kind: 'absent' } as const;
    const write: RowWrite = { kind: 'replace', keys, properties, condition };
    return { operation: 'insertEntity', table, write, request };
  }
  const keys = { partitionKey: resource.partitionKey, rowKey: resource.rowKey };
  checkKeys(keys);
  const condition = conditionOf(ifMatch);
  if (method === 'DELETE') {
    if (condition.kind === 'none') throw new TableError('MissingRequiredHeader', 'It is If-Match.');
    return {
      operation: 'deleteEntity',
      table,
      write: { kind: 'delete', keys, condition },
      request,
    };
  }
  only(method, ['PUT', 'PATCH', 'MERGE']);
  checkJsonBody(headers);
  const { properties } = decodeEntity(request.body);
  const kind = method === 'PUT' ? 'replace' : 'merge';
  const operation = condition.kind === 'none' ? 'upsertEntity' : 'updateEntity';
  return { operation, table, write: { kind, keys, properties, condition }, request };
}

function conditionOf(ifMatch: IfMatch): RowCondition {
  switch (ifMatch.kind) {
    case 'none':
      return { kind: 'none' };
    case 'any':
      return { kind: 'present' };
    case 'tag':
    default:
      return { kind: 'tag', tag: ifMatch.tag };
  }
}

const REFUSALS = {
  exists: 'EntityAlreadyExists',
  missing: 'ResourceNotFound',
  'other-version': 'UpdateConditionNotSatisfied',
} as const;

function rowsOf(answer: WriteAnswer, isInBatch = false): readonly (StoredEntity | undefined)[] {
  if (answer.kind === 'done') return answer.rows;
  const error = new TableError(REFUSALS[answer.why]);
  throw isInBatch ? error.ofOperation(answer.index) : error;
}

function answerOf(
  context: Context,
  { operation, table, request }: ReadWrite,
  row?: StoredEntity,
): Answer {
  if (row === undefined || operation === 'deleteEntity') return { status: 204, headers: {} };
  if (operation !== 'insertEntity') return { status: 204, headers: { ETag: row.etag } };
  const { base } = context;
  const level = levelOf(request);
  const location = `${base}/${entityAddress(table, row)}`;
  const { isContentWanted, applied } = preferenceOf(request.headers);
  const common = { ...applied, Location: location, ETag: row.etag };
  if (!isContentWanted) return { status: 204, headers: { ...common, DataServiceId: location } };
  return {
    status: 201,
    headers: { ...common, 'Content-Type': JSON_TYPES[level] },
    body: encodeEntity(row, formatOf({ ...context, level }, table)),
  };
}

/** Answers `/$batch`: a transaction, or one query. */
export async function answerBatch(context: Context): Promise<Answer> {
  const { request, requestId } = context;
  only(request.method, ['POST']);
  const { isChangeSet, requests } = parseBatch(request.headers['content-type'] ?? '', request.body);
  const parts = isChangeSet
    ? await transact(context, requests)
    : [toPart(await queryInBatch(context, requests[0]!))];
  const { contentType, body } = encodeBatch(parts, { isChangeSet, id: requestId });
  return { status: 202, headers: { 'Content-Type': contentType }, body };
}

async function queryInBatch(context: Context, read: BatchRequest): Promise<Answer> {
  try {
    const url = urlOf(context, read);
    const request = { ...context.request, ...read };
    const inner: Context = { ...context, url, request, level: levelOf(request) };
    const { resource } = url;
    if (resource.kind === 'entity') return await answerEntity(inner, resource);
    if (resource.kind === 'entities') return await answerEntities(inner, resource);
    throw new TableError('InvalidInput', 'A batch reads rows.');
  } catch (error) {
    return refusalInBatch(context, faultOfPart(error).ofOperation(0));
  }
}

/** Addresses in a batch name the account as the request's own does, or leave it out. */
function urlOf({ url }: Context, { target }: BatchRequest): Context['url'] {
  const inPath = `/${url.account}/`;
  const isInPath = url.path.startsWith(inPath);
  const style = isInPath && target.startsWith(inPath) ? {} : { account: url.account };
  return parseTableUrl(target, style);
}

/** Throws what is wrong here and not with the part: it is said of the whole request, which clients send again. */
function faultOfPart(error: unknown): TableError {
  const known = toTableError(error);
  if (known !== error && known.status >= 500) throw error;
  return known;
}

function refusalInBatch({ requestId, level }: Context, error: TableError): Answer {
  return {
    status: error.status,
    headers: { 'Content-Type': JSON_TYPES[level] },
    body: errorJson(error, errorFacts(requestId, Date.now())),
  };
}

async function transact(
  context: Context,
  requests: readonly BatchRequest[],
): Promise<readonly BatchAnswer[]> {
  try {
    const reads = readTransaction(context, requests);
    const table = await tableOf(context, reads[0]!.table);
    const writes = reads.map(({ write }) => write);
    const rows = rowsOf(await table.write(writes, requestOf(context)), true);
    return reads.map((read, index) => toPart(partOf(context, read, rows[index])));
  } catch (error) {
    const known = faultOfPart(error);
    // Of a transaction that failed one answer tells which operation it was, and what was wrong with it.
    const { operation = 0 } = known;
    const { headers, ...refused } = refusalInBatch(context, known.ofOperation(operation));
    const { applied } = preferenceOf(requests[operation]?.headers ?? {});
    return [
      toPart({ ...refused, headers: { ...headers, DataServiceVersion: '3.0;', ...applied } }),
    ];
  }
}

function partOf(context: Context, read: ReadWrite, row: StoredEntity | undefined): Answer {
  const answer = answerOf(context, read, row);
  const version = answer.status === 204 && read.operation !== 'insertEntity' ? '1.0;' : '3.0;';
  return {
    ...answer,
    headers: {
      'X-Content-Type-Options': 'nosniff',
      'Cache-Control': 'no-cache',
      DataServiceVersion: version,
      ...answer.headers,
    },
  };
}

function readTransaction(
  context: Context,
  requests: readonly BatchRequest[],
): readonly ReadWrite[] {
  checkOperationCount({ isChangeSet: true, requests });
  const seen = new Set<string>();
  const reads: ReadWrite[] = [];
  for (const [index, request] of requests.entries()) {
    const read = ofOperation(index, () => {
      const { resource } = urlOf(context, request);
      if (resource.kind !== 'entity' && resource.kind !== 'entities') {
        throw new TableError('InvalidInput', 'A transaction writes rows.');
      }
      checkTableName(resource.table);
      const one = readWrite(request, resource);
      checkPermit(context.permit, accessOf(one));
      checkCompany(one, { first: reads[0], seen });
      return one;
    });
    reads.push(read);
  }
  return reads;
}

function ofOperation<T>(index: number, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw toTableError(error).ofOperation(index);
  }
}

interface Company {
  readonly first: ReadWrite | undefined;
  /** The row keys of the operations before. */
  readonly seen: Set<string>;
}

function checkCompany({ table, write: { keys } }: ReadWrite, { first, seen }: Company): void {
  const isOther =
    first !== undefined &&
    (first.table.toLowerCase() !== table.toLowerCase() ||
      first.write.keys.partitionKey !== keys.partitionKey);
  if (isOther) throw new TableError('CommandsInBatchActOnDifferentPartitions');
  if (seen.has(keys.rowKey)) throw new TableError('InvalidDuplicateRow');
  seen.add(keys.rowKey);
}

function toPart({ status, headers, body }: Answer): BatchAnswer {
  return { status, reason: STATUS_CODES[status] ?? 'Error', headers, body };
}
