/**
 * One request of the Table service from its headers to its answer:
 *
 *     request ──► address ──► who asks ──► may he ──► documents.ts     service, tables, policies
 *                                              └────► entities.ts      one row, a page of rows, a transaction
 *
 * What goes wrong anywhere is a `TableError`, written here as the service writes it.
 */
import { AppError } from '@tandem/core';
import {
  type AccountKeys,
  errorDocument,
  errorJson,
  errorXml,
  findCorsRule,
  hasSharedAccess,
  parseTableUrl,
  TableError,
  type TableUrl,
  type UrlStyle,
  verifySharedAccess,
  verifySharedKey,
} from '@tandem/table-protocol';
import { answerService, answerTable, answerTables } from './documents.ts';
import { answerBatch, answerEntities, answerEntity } from './entities.ts';
import {
  type Answer,
  type Context,
  type EndpointRequest,
  errorFacts,
  formatAskedFor,
  JSON_TYPES,
  levelOf,
  type Permit,
} from './exchange.ts';
import type { ServedTables } from './served-tables.ts';

export interface EndpointOptions {
  readonly tables: ServedTables;
  /** Each with its keys; a request of another account is refused. */
  readonly accounts: readonly AccountKeys[];
  /** Returns the account that a host names; undefined where the path does. */
  readonly styleOf: (host: string) => UrlStyle;
  /** Where clients that come without a credential find out whom to ask for a token; nowhere by default. */
  readonly challenge?: string | undefined;
  readonly nowMs: () => number;
  readonly newRequestId: () => string;
  /** Told of what nobody foresaw. */
  readonly onFailure: (error: unknown, requestId: string) => void;
}

export type Endpoint = (request: EndpointRequest) => Promise<Answer>;

/** Returns what answers the requests of the Table service. It never rejects. */
export function createEndpoint(options: EndpointOptions): Endpoint {
  return async (request) => {
    const requestId = options.newRequestId();
    const common = commonHeaders(request, { requestId, nowMs: options.nowMs() });
    try {
      const answer = await answerRequest(request, { ...options, requestId });
      return { ...answer, headers: { ...common, ...answer.headers } };
    } catch (error) {
      const known = toTableError(error);
      if (known.code === 'InternalError' || known.status === 503)
        options.onFailure(error, requestId);
      return refusal(known, { ...options, request, common, requestId });
    }
  };
}

const NEWEST_VERSION = '2026-02-06';
const VERSION = /^20\d{2}-[01]\d-[0-3]\d$/;
const OLDEST_VERSION = '2009-04-14';

interface CommonFacts {
  readonly requestId: string;
  readonly nowMs: number;
}

/** A client's id is echoed where it is a text that a header may hold, and no longer than the service takes. */
const CLIENT_REQUEST_ID = /^[\u0021-\u007E]{1,1024}$/;

function commonHeaders(
  { headers }: EndpointRequest,
  { requestId, nowMs }: CommonFacts,
): Record<string, string> {
  const version = headers['x-ms-version'] ?? '';
  const clientId = headers['x-ms-client-request-id'] ?? '';
  return {
    'Cache-Control': 'no-cache',
    'X-Content-Type-Options': 'nosniff',
    'x-ms-request-id': requestId,
    'x-ms-version': isVersion(version) ? version : NEWEST_VERSION,
    Date: new Date(nowMs).toUTCString(),
    ...(CLIENT_REQUEST_ID.test(clientId) && { 'x-ms-client-request-id': clientId }),
  };
}

function isVersion(text: string): boolean {
  return VERSION.test(text) && text >= OLDEST_VERSION;
}

type Answering = EndpointOptions & { readonly requestId: string };

async function answerRequest(request: EndpointRequest, options: Answering): Promise<Answer> {
  const { tables, requestId } = options;
  const host = hostOf(request);
  const url = parseTableUrl(request.target, options.styleOf(host));
  if (request.method === 'OPTIONS') return answerPreflight(request, tables);
  const version = request.headers['x-ms-version'];
  if (version !== undefined && !isVersion(version)) {
    throw new TableError('InvalidHeaderValue', 'It is x-ms-version.');
  }
  const permit = await identify({ request, url, host }, options);
  if (url.isSecondary && request.method !== 'GET' && request.method !== 'HEAD') {
    throw new TableError('InsufficientAccountPermissions');
  }
  checkFormat(request, url);
  const context: Context = {
    request: { ...request, method: verbOf(request) },
    url,
    permit,
    tables,
    level: levelOf(request),
    base: baseOf(request, { url, host }, options),
    requestId,
  };
  const answer = await answerResource(context);
  const cors = await corsHeaders(request, tables);
  return cors === undefined ? answer : { ...answer, headers: { ...answer.headers, ...cors } };
}

/** A client that cannot send a verb sends another, and names it. */
function verbOf({ method, headers }: EndpointRequest): string {
  return method === 'POST' ? (headers['x-http-method'] ?? method) : method;
}

function answerResource(context: Context): Promise<Answer> {
  const { resource } = context.url;
  switch (resource.kind) {
    case 'service':
      return answerService(context);
    case 'tables':
      return answerTables(context);
    case 'table':
      return answerTable(context, resource.table);
    case 'entities':
    case 'beneath':
      return answerEntities(context, resource);
    case 'entity':
      return answerEntity(context, resource);
    case 'batch':
    default:
      return answerBatch(context);
  }
}

const HOST = /^[\w.:[\]-]{1,255}$/;

function hostOf({ headers }: EndpointRequest): string {
  const { host = '' } = headers;
  if (HOST.test(host)) return host;
  throw new TableError('InvalidHeaderValue', 'It is Host.');
}

interface Place {
  readonly url: TableUrl;
  readonly host: string;
}

function baseOf(
  { isHttps }: EndpointRequest,
  { url, host }: Place,
  { styleOf }: EndpointOptions,
): string {
  const isInPath = styleOf(host).account === undefined;
  const account = isInPath ? `/${url.account}${url.isSecondary ? '-secondary' : ''}` : '';
  return `${isHttps ? 'https' : 'http'}://${host}${account}`;
}

async function identify(
  { request, url, host }: Place & { readonly request: EndpointRequest },
  options: Answering,
): Promise<Permit> {
  const { headers, method } = request;
  const account = options.accounts.find((one) => one.account === url.account);
  const isShared = hasSharedAccess(url.query);
  const { authorization } = headers;
  if (authorization === undefined && !isShared) throw new TableError('NoAuthenticationInformation');
  if (account === undefined) throw new TableError('ResourceNotFound');
  // Who sends both may do what the signature allows, which is the less.
  if (isShared) return identifyBySignature({ request, url }, options, account);
  const path =
    options.styleOf(host).account === undefined || !url.isSecondary
      ? url.path
      : `/${account.account}-secondary${url.path}`;
  verifySharedKey({ method, path, comp: url.query.get('comp'), headers }, account, options.nowMs());
  return { kind: 'owner' };
}

async function identifyBySignature(
  { request: { ip, isHttps }, url }: { request: EndpointRequest; url: TableUrl },
  { tables, nowMs }: Answering,
  account: AccountKeys,
): Promise<Permit> {
  const { resource } = url;
  const query = new Map(url.query);
  // Some clients leave out the table that the address names; the signature is over it all the same.
  const isNamed = query.has('tn') || query.has('ss');
  if (!isNamed && 'table' in resource) query.set('tn', resource.table);
  const named = query.get('si') === undefined ? undefined : query.get('tn');
  const table = named === undefined ? undefined : await tables.find(named);
  const policies = new Map(table?.policies.map((policy) => [policy.id, policy]));
  const policyOf = (_: string, id: string): ReturnType<typeof policies.get> => policies.get(id);
  return verifySharedAccess({ query, ip, isHttps, nowMs: nowMs(), policyOf }, account);
}

/** Older clients ask for Atom where an answer has no body too. */
function checkFormat(request: EndpointRequest, { query, resource }: TableUrl): void {
  const isOfRows = resource.kind !== 'service' && resource.kind !== 'batch' && !query.has('comp');
  const hasBody = request.method === 'GET' || request.method === 'POST';
  const wanted = formatAskedFor(request);
  const isAtom = wanted.includes('atom+xml') && !/json|\*\/\*/.test(wanted);
  if (isOfRows && hasBody && isAtom) throw new TableError('AtomFormatNotSupported');
}

async function answerPreflight(
  { headers }: EndpointRequest,
  tables: ServedTables,
): Promise<Answer> {
  const origin = headers['origin'];
  const method = headers['access-control-request-method'];
  if (origin === undefined || method === undefined) {
    throw TableError.saying('InvalidHeaderValue', 'A required CORS header is not present.');
  }
  const asked = headers['access-control-request-headers'] ?? '';
  const names = asked
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const { cors = [] } = await tables.properties();
  const rule = findCorsRule(cors, { origin, method, headers: names });
  if (rule === undefined) throw new TableError('CorsPreflightFailure');
  return {
    status: 200,
    headers: {
      'Access-Control-Allow-Origin': origin,
      'Access-Control-Allow-Methods': method,
      ...(asked !== '' && { 'Access-Control-Allow-Headers': asked }),
      'Access-Control-Max-Age': String(rule.maxAgeSeconds),
      'Access-Control-Allow-Credentials': 'true',
      Vary: 'Origin',
    },
  };
}

async function corsHeaders(
  { method, headers }: EndpointRequest,
  tables: ServedTables,
): Promise<Record<string, string> | undefined> {
  const origin = headers['origin'];
  if (origin === undefined) return undefined;
  const { cors = [] } = await tables.properties();
  if (cors.length === 0) return undefined;
  const rule = findCorsRule(cors, { origin, method, headers: [] });
  if (rule === undefined) return { Vary: 'Origin' };
  const isForAll = rule.origins.includes('*');
  return {
    'Access-Control-Allow-Origin': isForAll ? '*' : origin,
    ...(rule.exposedHeaders.length > 0 && {
      'Access-Control-Expose-Headers': rule.exposedHeaders.join(','),
    }),
    ...(!isForAll && { 'Access-Control-Allow-Credentials': 'true', Vary: 'Origin' }),
  };
}

const RETRY_AFTER_S_MIN = 1;

/**
 * Returns what a client is told: trouble with the region's own account is never the client's, so it is asked to
 * come again; where nobody knows whether a write happened, it is told that, and repeats it.
 */
function toTableError(error: unknown): TableError {
  if (error instanceof TableError) return error;
  if (!(error instanceof AppError)) return new TableError('InternalError');
  if (error.code === 'TABLE_OUTCOME_UNKNOWN') return new TableError('OperationTimedOut');
  if (error.code === 'TABLE_NOT_FOUND') return new TableError('TableNotFound');
  if (error.code === 'CURSOR_INVALID') return new TableError('InvalidInput', error.message);
  if (error.code === 'ENTITY_INVALID') return new TableError('KeyValueTooLarge', error.message);
  if (error.code === 'TRANSACTION_INVALID') return new TableError('InvalidInput', error.message);
  if (error.code === 'TABLE_LIMIT_EXCEEDED') return new TableError('EntityTooLarge', error.message);
  return new TableError('ServerBusy');
}

interface Refusing extends EndpointOptions {
  readonly request: EndpointRequest;
  readonly common: Readonly<Record<string, string>>;
  readonly requestId: string;
}

function refusal(
  error: TableError,
  { request, common, challenge, requestId, nowMs }: Refusing,
): Answer {
  const facts = errorFacts(requestId, nowMs());
  const isXml = request.method === 'OPTIONS' || isAskedForXml(request);
  const headers: Record<string, string> = {
    ...common,
    'Content-Type': isXml ? 'application/xml' : JSON_TYPES[levelOf(request)],
  };
  if (error.code === 'NoAuthenticationInformation') {
    headers['x-ms-error-code'] = error.code;
    headers['Content-Type'] = isXml ? 'application/xml' : 'application/json';
    if (challenge !== undefined) headers['WWW-Authenticate'] = challenge;
  }
  if (error.status === 503) headers['Retry-After'] = String(RETRY_AFTER_S_MIN);
  const write = request.method === 'OPTIONS' ? errorDocument : isXml ? errorXml : errorJson;
  return { status: error.status, headers, body: write(error, facts) };
}

/** The documents of the service are XML, and so is what is said of them. */
function isAskedForXml({ target, headers }: EndpointRequest): boolean {
  if (/[?&]comp=/.test(target)) return true;
  const accept = headers['accept'] ?? '';
  return accept.includes('xml') && !accept.includes('json') && !target.includes('json');
}
