import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { createWebSockets } from '../amqp/amqp-server.ts';
import { assertNever } from '../assert-never.ts';
import type { Clock } from '../clock.ts';
import { findPageFault, readTarget } from '../faults.ts';
import { accessRulesOf, type Tenant, tenantOf } from '../namespace.ts';
import { createMessagePage, isMessagePage, type MessagePage } from '../page/message-page.ts';
import { createPortServer, type TlsIdentity } from '../port-server.ts';
import type { QueueProperties } from '../queue/queue-properties.ts';
import {
  coversResource,
  hasRight,
  type SharedAccessRule,
  verifySignature,
} from '../shared-access-signature.ts';
import {
  type AdminAction,
  type AdminRequest,
  type AdminResponse,
  atom,
  element,
  failure,
  notFound,
  readEntry,
  writeEntry,
  writeFeed,
} from './atom.ts';
import { readQueueDescription, toEntry } from './queue-description.ts';

export interface AdminServerOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly tls: TlsIdentity | undefined;
  /** Holds at least one. */
  readonly tenants: readonly Tenant[];
  readonly clock: Clock;
  readonly accessRules: readonly SharedAccessRule[] | undefined;
  /** More names under which it may be asked while any token will do. */
  readonly allowedHosts: readonly string[];
  readonly onFailure: (error: unknown) => void;
  /** Serves AMQP that comes over a WebSocket. */
  readonly acceptAmqp: (stream: Duplex) => void;
}

export interface AdminServer {
  readonly port: number;
  close(): Promise<void>;
}

const BODY_BYTES_MAX = 256 * 1024;
const REQUEST_TIMEOUT_MS = 30_000;
const HEALTHY: AdminResponse = {
  status: 200,
  contentType: 'application/json',
  body: '{"status":"ok"}',
};

function findAction(method: string, path: string): AdminAction | undefined {
  const resource = path.toLowerCase();
  if (method === 'GET' && resource === '$namespaceinfo') return getNamespace;
  if (method === 'GET' && resource === '$resources/queues') return listQueues;
  if (method === 'GET' && resource === '$resources/topics') return listTopics;
  if (path === '' || path.startsWith('$')) return undefined;
  return { GET: getQueue, PUT: putQueue, DELETE: deleteQueue }[method];
}

/** The body as text, or undefined when it is longer than the limit. */
async function readBody(message: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) return undefined;
    chunks.push(chunk);
  }
  // It takes a byte order mark away.
  return new TextDecoder().decode(Buffer.concat(chunks));
}

function decodePath(pathname: string): string | undefined {
  try {
    return decodeURIComponent(pathname).replace(/^\/+|\/+$/g, '');
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

interface Context extends AdminServerOptions {
  readonly messagePage: MessagePage;
}

async function respond(
  message: IncomingMessage,
  { tenants, clock, accessRules, allowedHosts, messagePage }: Context,
): Promise<AdminResponse> {
  if (isMessagePage(message.url)) return messagePage(message, () => readBody(message));
  const fault = findPageFault(message, accessRules === undefined ? allowedHosts : undefined);
  if (fault !== undefined) return failure(403, `${fault}.`);
  const { host = 'localhost' } = message.headers;
  const baseUrl = `${'encrypted' in message.socket ? 'https' : 'http'}://${host}`;
  const { namespace, name: namespaceName } = tenantOf(tenants, host);
  const url = readTarget(message, baseUrl);
  if (url?.pathname === '/health') return HEALTHY;
  const nowMs = clock.nowMs();
  const path = url && decodePath(url.pathname);
  if (url === undefined || path === undefined)
    return failure(400, 'The address is malformed. SubCode=40000.');
  if (accessRules !== undefined) {
    const rules = [...accessRules, ...accessRulesOf(namespace, path).rules];
    const verdict = verifySignature(message.headers.authorization ?? '', { rules, nowMs });
    if (verdict.kind === 'invalid') return failure(401, verdict.reason);
    if (!coversResource(verdict.resource, { host, path })) {
      return failure(401, 'InvalidAudience: The token does not cover the resource.');
    }
    if (!hasRight(verdict.rule, 'Manage')) {
      return failure(401, 'Manage claim(s) are required to perform this operation.');
    }
  }
  const action = findAction(message.method ?? '', path);
  if (action === undefined) {
    return failure(404, `The emulator has no resource at '${message.method} ${url.pathname}'.`);
  }
  const body = await readBody(message);
  if (body === undefined) return failure(413, `The body exceeds ${BODY_BYTES_MAX} bytes.`);
  const mustExist = message.headers['if-match'] === '*';
  const request: AdminRequest = {
    namespace,
    namespaceName,
    nowMs,
    baseUrl,
    path,
    query: url.searchParams,
    body,
    mustExist,
  };
  return action(request);
}

function write(
  response: ServerResponse,
  { status, contentType, body, headers }: AdminResponse,
): void {
  response.writeHead(status, {
    ...headers,
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}

/** Listens for administration requests. Rejects with the socket's error when the port is taken. */
export async function startAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const { tenants, allowedHosts, accessRules } = options;
  const messagePage = createMessagePage({
    tenants,
    allowedHosts,
    verifiesTokens: accessRules !== undefined,
  });
  const context = { ...options, messagePage };
  const http = createServer((message, response) => {
    respond(message, context).then(
      (answer) => write(response, answer),
      (error: unknown) => {
        options.onFailure(error);
        write(response, failure(500, 'The emulator failed; its log tells why.'));
      },
    );
  });
  http.requestTimeout = REQUEST_TIMEOUT_MS;
  const webSockets = createWebSockets(
    options.acceptAmqp,
    accessRules === undefined ? allowedHosts : undefined,
  );
  http.on('upgrade', (message, socket, head) => webSockets.upgrade(message, socket, head));
  const { server, destroyConnections } = createPortServer(options.tls, (socket) => {
    http.emit('connection', socket);
  });
  server.listen(options.port, options.host);
  await once(server, 'listening');
  // Another server listens for this one, which begins to watch its time-outs when it is told so.
  http.emit('listening');
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      destroyConnections();
      http.close(() => undefined);
      await closed;
    },
  };
}

const deleteQueue: AdminAction = async ({ namespace, path }) =>
  (await namespace.remove(path)) ? atom(200, '') : notFound(path);

const STARTED_AT_MS = Date.parse('2026-01-01T00:00:00Z');

/** What the emulator is, in the service's terms. */
const getNamespace: AdminAction = async ({ baseUrl, namespaceName }) => {
  const time = new Date(STARTED_AT_MS).toISOString();
  const inner = [
    element('CreatedTime', time),
    element('MessagingSKU', 'Standard'),
    element('ModifiedTime', time),
    element('Name', namespaceName),
    element('NamespaceType', 'Messaging'),
  ].join('');
  const id = `${baseUrl}/$namespaceinfo`;
  const content = { name: 'NamespaceInfo', inner };
  return atom(200, writeEntry({ id, title: namespaceName, updatedAtMs: STARTED_AT_MS, content }));
};

const getQueue: AdminAction = async ({ namespace, path, baseUrl }) => {
  const entity = namespace.find(path);
  return entity === undefined ? notFound(path) : atom(200, writeEntry(toEntry(entity, baseUrl)));
};

const PAGE_MAX = 100;

function readCount(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  return text !== null && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** One page of the queues, in order of name, with the address of the next. */
const listQueues: AdminAction = async ({ namespace, query, baseUrl, nowMs }) => {
  const skip = readCount(query, '$skip') ?? 0;
  const top = Math.min(readCount(query, '$top') ?? PAGE_MAX, PAGE_MAX);
  const all = namespace.list();
  const page = all.slice(skip, skip + top);
  const address = `${baseUrl}/$Resources/Queues`;
  const end = skip + page.length;
  // Clients take all three from the address of the next page, and fail where one is absent.
  const following = new URLSearchParams({
    ...(query.get('api-version') === null ? {} : { 'api-version': query.get('api-version') ?? '' }),
    $skip: String(end),
    $top: String(top),
  });
  const feed = writeFeed({
    id: address,
    title: 'Queues',
    updatedAtMs: nowMs,
    entries: page.map((entity) => toEntry(entity, baseUrl)),
    next: end < all.length ? `${address}?${following.toString()}` : undefined,
  });
  return atom(200, feed);
};

/** The emulator has no topics: none of them is a page of none, as a namespace without topics answers. */
const listTopics: AdminAction = async ({ baseUrl, nowMs }) =>
  atom(
    200,
    writeFeed({
      id: `${baseUrl}/$Resources/Topics`,
      title: 'Topics',
      updatedAtMs: nowMs,
      entries: [],
      next: undefined,
    }),
  );

async function create(
  { namespace, path, baseUrl }: AdminRequest,
  properties: Partial<QueueProperties>,
): Promise<AdminResponse> {
  const outcome = await namespace.create(path, properties);
  switch (outcome.kind) {
    case 'created':
      return atom(201, writeEntry(toEntry(outcome.entity, baseUrl)));
    case 'exists':
      return failure(409, `SubCode=40900. Conflict: the queue '${path}' already exists.`);
    case 'invalid':
      return failure(400, `${outcome.problem}. SubCode=40000.`);
    default:
      return assertNever(outcome);
  }
}

async function update(
  { namespace, path, baseUrl }: AdminRequest,
  properties: Partial<QueueProperties>,
): Promise<AdminResponse> {
  const outcome = await namespace.update(path, properties);
  switch (outcome.kind) {
    case 'updated':
      return atom(200, writeEntry(toEntry(outcome.entity, baseUrl)));
    case 'not-found':
      return notFound(path);
    case 'invalid':
      return failure(400, `${outcome.problem}. SubCode=40000.`);
    default:
      return assertNever(outcome);
  }
}

/** Creates a queue, or changes the settings of one that must exist. */
const putQueue: AdminAction = async (request) => {
  const content = readEntry(request.body);
  if (content === undefined) return failure(400, 'The body is no Atom entry. SubCode=40000.');
  if (content.name !== 'QueueDescription') {
    return failure(400, `The emulator has queues only, got ${content.name}. SubCode=40000.`);
  }
  const read = readQueueDescription(content.fields, content.nested);
  if (read.kind === 'refused') return failure(400, read.problem);
  return request.mustExist ? update(request, read.properties) : create(request, read.properties);
};
