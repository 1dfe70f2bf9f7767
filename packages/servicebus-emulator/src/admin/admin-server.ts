import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { createWebSockets } from '../amqp/web-sockets.ts';
import type { Clock } from '../clock.ts';
import { findPageFault } from '../find-page-fault.ts';
import { createPortServer, type TlsIdentity } from '../port-server.ts';
import { accessRulesOf } from '../queue-access-rules.ts';
import { tenantOf, type Tenant } from '../tenant.ts';
import {
  coversResource,
  hasRight,
  verifySignature,
  type SharedAccessRule,
} from '../shared-access-signature.ts';
import {
  failure,
  type AdminAction,
  type AdminRequest,
  type AdminResponse,
} from './admin-request.ts';
import { deleteQueue } from './delete-queue.ts';
import { getNamespace } from './get-namespace.ts';
import { getQueue } from './get-queue.ts';
import { listQueues, listTopics } from './list-queues.ts';
import { putQueue } from './put-queue.ts';

export interface AdminServerOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly tls: TlsIdentity | undefined;
  /** At least one. */
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
  return Buffer.concat(chunks).toString('utf8');
}

function decodePath(pathname: string): string | undefined {
  try {
    return decodeURIComponent(pathname).replace(/^\/+|\/+$/g, '');
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

async function respond(
  message: IncomingMessage,
  { tenants, clock, accessRules, allowedHosts }: AdminServerOptions,
): Promise<AdminResponse> {
  const fault = findPageFault(message, accessRules === undefined ? allowedHosts : undefined);
  if (fault !== undefined) return failure(403, `${fault}.`);
  const { host = 'localhost' } = message.headers;
  const baseUrl = `${'encrypted' in message.socket ? 'https' : 'http'}://${host}`;
  const { namespace, name: namespaceName } = tenantOf(tenants, host);
  const url = new URL(message.url ?? '/', baseUrl);
  if (url.pathname === '/health') return HEALTHY;
  const nowMs = clock.nowMs();
  const path = decodePath(url.pathname);
  if (path === undefined) return failure(400, 'The address is malformed. SubCode=40000.');
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

function write(response: ServerResponse, { status, contentType, body }: AdminResponse): void {
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}

/** Listens for administration requests. Rejects with the socket's error when the port is taken. */
export async function startAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const http = createServer((message, response) => {
    respond(message, options).then(
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
    options.accessRules === undefined ? options.allowedHosts : undefined,
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
