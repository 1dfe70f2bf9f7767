/**
 * One request of the Table service from its headers to its answer:
 *
 *     headers ──► address ──► who asks ──► body ──► may he ──► documents.ts     service, tables, policies
 *                                                       └────► entities.ts      one row, a page of rows, a transaction
 *
 * What goes wrong anywhere is a `TableError`, written here as the service writes it.
 */
import type { JudgeRequest } from '@tandem/core';
import type { TokenFault, TokenVerifier } from '@tandem/service-kit/tokens';
import {
  type AccountKeys,
  checkEncoding,
  errorDocument,
  errorJson,
  errorXml,
  findCorsRule,
  hasSharedAccess,
  nameOfAccount,
  parseTableUrl,
  TableError,
  type TableUrl,
  type UrlStyle,
  verbOf,
  verifySharedAccess,
  verifySharedKey,
} from '@tandem/table-protocol';
import { answerService, answerTable, answerTables } from './documents.ts';
import { answerBatch, answerEntities, answerEntity } from './entities.ts';
import {
  type Answer,
  type Context,
  errorFacts,
  formatAskedFor,
  type IncomingRequest,
  JSON_TYPES,
  levelOf,
  type Permit,
  toTableError,
} from './exchange.ts';
import type { ServedTables } from './served-tables.ts';

export interface EndpointOptions {
  readonly tables: ServedTables;
  /** Each with its keys; a request of another account is refused, and without any account every request. */
  readonly accounts: readonly AccountKeys[];
  /** Returns the account that a host names; undefined where the path does. */
  readonly styleOf: (host: string) => UrlStyle;
  /** Undefined where requests of any site are taken: none of them could sign. */
  readonly judgeRequest?: JudgeRequest | undefined;
  /** Undefined where no access tokens are taken. */
  readonly verifyToken?: TokenVerifier<TokenScope> | undefined;
  /** Where clients that come without a credential find out whom to ask for a token; nowhere by default. */
  readonly challenge?: string | undefined;
  readonly nowMs: () => number;
  readonly newRequestId: () => string;
  /** Is told of what nobody foresaw. */
  readonly onFailure: (error: unknown, requestId: string) => void;
}

export type Endpoint = (request: IncomingRequest) => Promise<Answer>;

/** What a token may allow, each what the one before it allows too. */
export const TOKEN_SCOPES = ['tables.read', 'tables.write', 'tables.operate'] as const;
type TokenScope = (typeof TOKEN_SCOPES)[number];

/** Returns what answers the requests of the Table service. It never rejects. */
export function createEndpoint(options: EndpointOptions): Endpoint {
  return async (request) => {
    const requestId = options.newRequestId();
    const common = commonHeaders(request, { requestId, nowMs: options.nowMs() });
    const refuse = (error: unknown): Answer => {
      const known = toTableError(error);
      if (known.code === 'InternalError' || known.status === 503)
        options.onFailure(error, requestId);
      return refusal(known, { ...options, request, requestId });
    };
    let answer: Answer;
    try {
      answer = await answerRequest(request, { ...options, requestId, refuse });
    } catch (error) {
      answer = refuse(error);
    }
    return { ...answer, headers: { ...common, ...answer.headers } };
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
  { headers }: IncomingRequest,
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

interface Answering extends EndpointOptions {
  readonly requestId: string;
  readonly refuse: (error: unknown) => Answer;
}

async function answerRequest(request: IncomingRequest, options: Answering): Promise<Answer> {
  const { tables } = options;
  if (request.repeated !== undefined) throw repeatedHeader(request.repeated);
  const host = hostOf(request);
  const { judgeRequest } = options;
  if (judgeRequest !== undefined) await judge(request, { tables, judgeRequest });
  const url = parseTableUrl(request.target, options.styleOf(host));
  if (request.method === 'OPTIONS') return answerPreflight(request, tables);
  const version = request.headers['x-ms-version'];
  if (version !== undefined && !isVersion(version)) {
    throw new TableError('InvalidHeaderValue', 'It is x-ms-version.');
  }
  const permit = await identify({ request, url, host }, options);
  const answer = await answerKnown({ request, url, host, permit }, options).catch(options.refuse);
  // Without them a page could not read why it was refused. Nothing is looked up for a sender who is not known.
  const cors = await corsHeaders(request, tables);
  return cors === undefined ? answer : { ...answer, headers: { ...answer.headers, ...cors } };
}

/** Answers who may do what his credential says. */
async function answerKnown(
  { request, url, host, permit }: Place & Pick<Context, 'permit'> & { request: IncomingRequest },
  options: Answering,
): Promise<Answer> {
  const { tables, requestId } = options;
  if (url.isSecondary && request.method !== 'GET' && request.method !== 'HEAD') {
    throw new TableError('InsufficientAccountPermissions');
  }
  checkFormat(request, url);
  checkEncoding(request.headers);
  const method = verbOf(request.method, request.headers);
  const context: Context = {
    request: { ...request, method, body: await bodyOf(request) },
    url,
    permit,
    tables,
    level: levelOf(request),
    base: baseOf(request, { url, host }, options),
    requestId,
  };
  return answerResource(context);
}

/**
 * Refuses what a page of another site sends, which can sign with a key that every emulator publishes, and by a name of its own
 * could read the answers. A page that a CORS rule lets in may ask.
 */
async function judge(
  { method, target, headers }: IncomingRequest,
  { judgeRequest, tables }: { readonly tables: ServedTables; readonly judgeRequest: JudgeRequest },
): Promise<void> {
  const rawHeaders = Object.entries(headers).flatMap(([name, value = '']) => [name, value]);
  const verdict = judgeRequest({ method, target, rawHeaders });
  if (verdict.kind !== 'refused') return;
  const { origin } = headers;
  if (verdict.part === 'origin' && origin !== undefined) {
    // A preflight is answered by the rules alone, and does nothing.
    if (method === 'OPTIONS') return;
    const { cors = [] } = await tables.properties();
    if (findCorsRule(cors, { origin, method, headers: [] }) !== undefined) return;
  }
  throw new TableError('AuthorizationFailure', verdict.why);
}

async function bodyOf({ body }: IncomingRequest): Promise<string> {
  return typeof body === 'string' ? body : body();
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

function repeatedHeader(name: string): TableError {
  if (name === 'x-http-method') return new TableError('XMethodIncorrectCount');
  return new TableError('InvalidHeaderValue', `It is ${name}, which stands there twice.`);
}

const HOST = /^[\w.:[\]-]{1,255}$/;

function hostOf({ headers }: IncomingRequest): string {
  const { host = '' } = headers;
  if (host === '') throw new TableError('HostInformationNotPresent');
  if (HOST.test(host)) return host;
  throw new TableError('InvalidHeaderValue', 'It is Host.');
}

interface Place {
  readonly url: TableUrl;
  readonly host: string;
}

function baseOf(
  { isHttps }: IncomingRequest,
  { url, host }: Place,
  { styleOf }: EndpointOptions,
): string {
  const isInPath = styleOf(host).account === undefined;
  const account = isInPath ? `/${nameOfAccount(url.account, url.isSecondary)}` : '';
  return `${isHttps ? 'https' : 'http'}://${host}${account}`;
}

async function identify(
  { request, url, host }: Place & { readonly request: IncomingRequest },
  options: Answering,
): Promise<Permit> {
  const { headers, method } = request;
  if (options.accounts.length === 0) throw TableError.saying('AuthenticationFailed', CLOSED);
  const account = options.accounts.find((one) => one.account === url.account);
  const isShared = hasSharedAccess(url.query);
  const { authorization } = headers;
  if (authorization === undefined && !isShared) throw new TableError('NoAuthenticationInformation');
  if (account === undefined) throw new AccountNotFound('ResourceNotFound');
  // Who sends both may do what the signature allows, which is the less.
  if (isShared) return identifyBySignature({ request, url }, options, account);
  if (BEARER.test(authorization ?? '')) return identifyByToken(authorization ?? '', options);
  const path =
    options.styleOf(host).account === undefined || !url.isSecondary
      ? url.path
      : `/${nameOfAccount(account.account, true)}${url.path}`;
  verifySharedKey({ method, path, comp: url.query.get('comp'), headers }, account, options.nowMs());
  return { kind: 'owner' };
}

/** Is said as all services of an account would say it, since there is none whose tables could answer. */
class AccountNotFound extends TableError {}

const CLOSED =
  'No account is configured at this endpoint, so it refuses every request: set TABLE_ACCOUNTS.';

const BEARER = /^Bearer(?: |$)/i;
const BEARER_TOKEN = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i;

/** By scope, the permissions of an account's signature that allow the same. */
const TOKEN_PERMISSIONS: Readonly<Record<TokenScope, string>> = {
  'tables.read': 'rl',
  'tables.write': 'rlacud',
  'tables.operate': 'rlacudw',
};

async function identifyByToken(authorization: string, { verifyToken }: Answering): Promise<Permit> {
  if (verifyToken === undefined) throw new TableError('InvalidAuthenticationInfo', NO_TOKENS);
  const token = BEARER_TOKEN.exec(authorization)?.[1];
  if (token === undefined) throw tokenRefused('malformed');
  const verdict = await verifyToken(token);
  if (verdict.kind === 'keys-unreadable') throw new TableError('ServerBusy');
  if (verdict.kind === 'refused') throw tokenRefused(verdict.reason);
  const scopes = TOKEN_SCOPES.filter((scope) => verdict.caller.scopes.has(scope));
  const permissions = scopes.map((scope) => TOKEN_PERMISSIONS[scope]).join('');
  return { kind: 'account', permissions, resourceTypes: 'sco' };
}

const NO_TOKENS =
  'Authentication scheme Bearer is not supported: set AUTH_ISSUER and AUTH_AUDIENCE of the endpoint.';

/** The service's own sentence of each, then what to do about it. */
const TOKEN_FAULTS: Readonly<Record<TokenFault, string>> = {
  malformed:
    'Token validation failed. Send a JWT in its compact form, of 8,192 characters at most.',
  signature:
    'Signature validation failed. Send a token that the issuer of this endpoint has signed, by a public key.',
  issuer: 'Issuer validation failed. Issuer did not match. Ask the issuer that AUTH_ISSUER names.',
  audience:
    'Audience validation failed. Audience did not match. Ask for the audience that AUTH_AUDIENCE names.',
  'not-valid-yet': 'Lifetime validation failed. The token is not valid yet. Check both clocks.',
  expired: 'Lifetime validation failed. The token is expired. Ask for a new one.',
  claims:
    'Token validation failed. Send an access token with iss, aud, exp and sub, not an ID token.',
};

function tokenRefused(fault: TokenFault): TableError {
  return new TableError('AuthenticationFailed', TOKEN_FAULTS[fault]);
}

async function identifyBySignature(
  { request: { ip, isHttps }, url }: { request: IncomingRequest; url: TableUrl },
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
function checkFormat(request: IncomingRequest, { query, resource }: TableUrl): void {
  const isOfRows = resource.kind !== 'service' && resource.kind !== 'batch' && !query.has('comp');
  const hasBody = request.method === 'GET' || request.method === 'POST';
  const wanted = formatAskedFor(request);
  const isAtom = wanted.includes('atom+xml') && !/json|\*\/\*/.test(wanted);
  if (isOfRows && hasBody && isAtom) throw new TableError('AtomFormatNotSupported');
}

async function answerPreflight(
  { headers }: IncomingRequest,
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
  { method, headers }: IncomingRequest,
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

interface Refusing extends EndpointOptions {
  readonly request: IncomingRequest;
  readonly requestId: string;
}

function refusal(error: TableError, { request, challenge, requestId, nowMs }: Refusing): Answer {
  const facts = errorFacts(requestId, nowMs());
  const isDocument = isOfDocument(error, request);
  const isXml = isDocument || isAskedForXml(request);
  const headers: Record<string, string> = {
    'Content-Type': isXml ? 'application/xml' : JSON_TYPES[levelOf(request)],
  };
  const isUnknown = error.code === 'NoAuthenticationInformation';
  if (isDocument || isUnknown) headers['x-ms-error-code'] = error.code;
  if (isUnknown) {
    headers['Content-Type'] = isXml ? 'application/xml' : 'application/json';
    if (challenge !== undefined) headers['WWW-Authenticate'] = challenge;
  }
  if (error.status === 503) headers['Retry-After'] = String(RETRY_AFTER_S_MIN);
  const write = isDocument ? errorDocument : isXml ? errorXml : errorJson;
  return { status: error.status, headers, body: write(error, facts) };
}

/** The documents of the service are XML, and so is what is said of them, and of the account as a whole. */
function isOfDocument(error: TableError, { method, target }: IncomingRequest): boolean {
  return method === 'OPTIONS' || /[?&]comp=/.test(target) || error instanceof AccountNotFound;
}

function isAskedForXml({ target, headers }: IncomingRequest): boolean {
  const accept = headers['accept'] ?? '';
  return accept.includes('xml') && !accept.includes('json') && !target.includes('json');
}
