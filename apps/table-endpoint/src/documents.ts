/** Answers for the service as a whole, its list of tables, and who a table lets in; and the options that a query has in its address. */

import { matches } from '@tandem/core';
import {
  checkTableName,
  checkUnconditional,
  decodeContinuation,
  encodeAcl,
  encodeContinuation,
  encodeServiceProperties,
  encodeServiceStats,
  isPropertyName,
  parseAcl,
  parseFilter,
  parseObject,
  parseServiceProperties,
  TableError,
} from '@tandem/table-protocol';
import { type Answer, type Context, checkPermit, JSON_TYPES, preferenceOf } from './exchange.ts';

/** Answers `/?restype=service&comp=…`. */
export async function answerService(context: Context): Promise<Answer> {
  const { request, url, permit, tables } = context;
  if (url.query.get('restype') !== 'service') {
    throw new TableError('InvalidQueryParameterValue', '"restype" is "service".');
  }
  const comp = url.query.get('comp');
  if (comp === 'stats') {
    only(request.method, ['GET']);
    checkPermit(permit, { operation: 'getServiceStats' });
    if (!url.isSecondary) {
      throw new TableError('InvalidQueryParameterValue', 'Only the secondary address tells it.');
    }
    const lastSyncTime = await tables.syncedAt();
    return xml(
      encodeServiceStats(
        lastSyncTime === undefined ? { status: 'unavailable' } : { status: 'live', lastSyncTime },
      ),
    );
  }
  if (comp !== 'properties') {
    throw new TableError('InvalidQueryParameterValue', '"comp" is "properties" or "stats".');
  }
  if (request.method === 'GET') {
    checkPermit(permit, { operation: 'getServiceProperties' });
    return xml(encodeServiceProperties(await tables.properties()));
  }
  only(request.method, ['PUT']);
  checkPermit(permit, { operation: 'setServiceProperties' });
  const set = parseServiceProperties(request.body);
  // What is not named stays as it is.
  await tables.setProperties({ ...(await tables.properties()), ...set });
  return { status: 202, headers: {} };
}

/** Answers `/Tables`: their list, or the creation of one. */
export async function answerTables(context: Context): Promise<Answer> {
  const { request, permit } = context;
  if (request.method === 'GET') {
    checkPermit(permit, { operation: 'queryTables' });
    return listTables(context);
  }
  only(request.method, ['POST']);
  checkUnconditional(request.headers);
  checkPermit(permit, { operation: 'createTable' });
  return createTable(context);
}

async function listTables({ url, tables, level, base }: Context): Promise<Answer> {
  const { query } = url;
  const { filter } = readQuery(query);
  const where = filter === undefined ? undefined : parseFilter(filter);
  const from = nameIn(query.get('NextTableName'));
  const top = topOf(query);
  const meant = (await tables.list())
    .filter((name) => name.toLowerCase() >= from)
    .filter((name) => where === undefined || matches(where, valuesOf(name)));
  const page = meant.slice(0, top);
  const next = meant[top];
  const context = level === 'none' ? '' : `"odata.metadata":"${base}/$metadata#Tables",`;
  const rows = page.map((name) => JSON.stringify(entryOf(name, { base, level, url })));
  return {
    status: 200,
    headers: {
      'Content-Type': JSON_TYPES[level],
      ...(next !== undefined && { 'x-ms-continuation-NextTableName': encodeContinuation(next) }),
    },
    body: `{${context}"value":[${rows.join(',')}]}`,
  };
}

/** Tables are in the order of their names in lower case. A token of the service also says when it was made. */
function nameIn(token: string | undefined): string {
  const [name = ''] = token === undefined ? [] : decodeContinuation(token).split('\u0001', 1);
  return name.toLowerCase();
}

function valuesOf(table: string): Parameters<typeof matches>[1] {
  return (name) => (name === 'TableName' ? { type: 'String', value: table } : undefined);
}

function entryOf(
  name: string,
  { base, level, url }: Pick<Context, 'base' | 'level' | 'url'>,
): Readonly<Record<string, string>> {
  if (level !== 'full') return { TableName: name };
  return {
    'odata.type': `${url.account}.Tables`,
    'odata.id': `${base}/Tables('${name}')`,
    'odata.editLink': `Tables('${name}')`,
    TableName: name,
  };
}

/** Returns one table as the answer to its read or its creation. */
function encodeEntry(name: string, context: Context): string {
  const { level, base } = context;
  const about = level === 'none' ? {} : { 'odata.metadata': `${base}/$metadata#Tables/@Element` };
  return JSON.stringify({ ...about, ...entryOf(name, context) });
}

async function createTable(context: Context): Promise<Answer> {
  const { request, tables, level, base } = context;
  checkJsonBody(request.headers);
  const { TableName: name } = parseObject(request.body);
  if (typeof name !== 'string') throw new TableError('PropertiesNeedValue');
  checkTableName(name);
  if (!(await tables.create(name))) throw new TableError('TableAlreadyExists');
  const address = `${base}/Tables('${name}')`;
  const { isContentWanted, applied } = preferenceOf(request.headers);
  if (!isContentWanted) {
    const headers = { ...applied, Location: address, DataServiceId: address };
    return { status: 204, headers };
  }
  return {
    status: 201,
    headers: { ...applied, 'Content-Type': JSON_TYPES[level], Location: address },
    body: encodeEntry(name, context),
  };
}

/** Answers `/Tables('T')`. */
export async function answerTable(context: Context, table: string): Promise<Answer> {
  const { request, permit, tables, level } = context;
  checkTableName(table);
  if (request.method === 'GET') {
    checkPermit(permit, { operation: 'queryTables', table });
    const found = await tables.find(table);
    if (found === undefined) throw new TableError('ResourceNotFound');
    const headers = { 'Content-Type': JSON_TYPES[level] };
    return { status: 200, headers, body: encodeEntry(found.name, context) };
  }
  only(request.method, ['DELETE']);
  checkUnconditional(request.headers);
  checkPermit(permit, { operation: 'deleteTable', table });
  if (!(await tables.remove(table))) throw new TableError('ResourceNotFound');
  return { status: 204, headers: {} };
}

/** Answers `/T?comp=acl`. */
export async function answerPolicies(context: Context, table: string): Promise<Answer> {
  const { request, permit, tables } = context;
  if (request.method === 'GET') {
    checkPermit(permit, { operation: 'getTableAcl', table });
    const found = await tables.find(table);
    if (found === undefined) throw new TableError('TableNotFound');
    return xml(encodeAcl(found.policies));
  }
  only(request.method, ['PUT']);
  checkPermit(permit, { operation: 'setTableAcl', table });
  const policies = request.body === '' ? [] : parseAcl(request.body);
  if (!(await tables.setPolicies(table, policies))) throw new TableError('TableNotFound');
  return { status: 204, headers: {} };
}

/** Throws for a method that the resource has not. */
export function only(method: string, methods: readonly string[]): void {
  if (!methods.includes(method)) throw new TableError('UnsupportedHttpVerb');
}

/** Throws for a body in a format that is not read; without a type it is taken for JSON. */
export function checkJsonBody(headers: Readonly<Record<string, string | undefined>>): void {
  const type = headers['content-type'] ?? '';
  if (type === '' || /^application\/json\s*(?:;|$)/i.test(type)) return;
  throw new TableError(/atom/i.test(type) ? 'AtomFormatNotSupported' : 'MediaTypeNotSupported');
}

function xml(body: string): Answer {
  return { status: 200, headers: { 'Content-Type': 'application/xml' }, body };
}

// The options of a query's address, which begin with a dollar sign.

export interface QueryOptions {
  readonly filter: string | undefined;
  /** Undefined for all properties. */
  readonly select: ReadonlySet<string> | undefined;
}

const KNOWN: ReadonlySet<string> = new Set(['$filter', '$select', '$top', '$format']);

/** Throws `NotImplemented` for an option that the service has not. */
export function readQuery(query: ReadonlyMap<string, string>): QueryOptions {
  for (const name of query.keys()) {
    if (name.startsWith('$') && !KNOWN.has(name)) throw new TableError('NotImplemented');
  }
  const filter = query.get('$filter');
  return {
    filter: filter === undefined || filter.trim() === '' ? undefined : filter,
    select: selectOf(query.get('$select') ?? ''),
  };
}

/** An answer has what was chosen as names of its own, so what can name no property must not get there. */
function selectOf(text: string): ReadonlySet<string> | undefined {
  const names = new Set(text.split(',').map((name) => name.trim()));
  names.delete('');
  if (names.size === 0 || names.has('*')) return undefined;
  for (const name of names) {
    if (isPropertyName(name)) continue;
    throw new TableError('InvalidInput', `$select names "${name.slice(0, 40)}", no property.`);
  }
  return names;
}

/** Bounds the rows of one page, as the service does. */
const TOP_MAX = 1_000;

/** Throws `InvalidInput` for what is no number, or more than a page holds. */
export function topOf(query: ReadonlyMap<string, string>): number {
  const text = query.get('$top');
  if (text === undefined) return TOP_MAX;
  const top = /^\d{1,9}$/.test(text) ? Number(text) : undefined;
  if (top !== undefined && top <= TOP_MAX) return top;
  throw new TableError('InvalidInput', `$top is a number from 0 to ${TOP_MAX}.`);
}
