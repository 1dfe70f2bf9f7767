import { errorJson, TableError, type TableErrorCode } from '@tandem/table-protocol';
import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyRequest,
  fastify,
  LogController,
} from 'fastify';
import type { Endpoint } from './endpoint.ts';
import { errorFacts, JSON_TYPES } from './exchange.ts';

export interface AppOptions {
  readonly endpoint: Endpoint;
  readonly logger: FastifyBaseLogger;
  /** Answers probes, beneath `/health/`; what is not one of them is a request of the Table service. */
  readonly probes?: Readonly<Record<string, () => Promise<ProbeAnswer>>>;
  /** Tells whether the caller came by TLS, where something before this process ended it. */
  readonly isHttps?: boolean;
}

interface ProbeAnswer {
  readonly status: number;
  readonly body: object;
}

/** As the service has it, for transactions and single rows alike. */
const BODY_BYTES_MAX = 4 * 1_024 * 1_024;
/** What is too large is read to its end, and thrown away, so that its sender hears the answer. */
const DISCARDED_BYTES_MAX = 64 * 1_024 * 1_024;
/** Keys stand in the address, percent-encoded in three signs for a byte. */
const HEADER_BYTES_MAX = 64 * 1_024;
/** A whole request must have arrived within this time. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Longer than the 60 s of common load balancers, so that they are the ones who close. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
const CONNECTION_TIMEOUT_MS = 120_000;
const CONNECTIONS_CHECK_MS = 5_000;
/** What is under way at once; a client that is refused comes again. */
const REQUESTS_AT_ONCE_MAX = 2_000;

/**
 * Builds the server, which does not listen yet. The framework gives it life cycle and log; the address is read
 * by the endpoint alone, since a key may hold what a router takes for structure.
 */
export function createApp(options: AppOptions): FastifyInstance {
  const { endpoint, logger, probes = {}, isHttps = false } = options;
  const app = createServer({ logger, paths: new Set(Object.keys(probes)) });
  for (const [path, probe] of Object.entries(probes)) {
    app.get(path, async (_request, reply) => {
      const { status, body } = await probe();
      return reply.code(status).header('cache-control', 'no-store').send(body);
    });
  }
  let underWay = 0;
  app.all('/', async (request, reply) => {
    if (underWay >= REQUESTS_AT_ONCE_MAX) throw new TableError('ServerBusy');
    underWay += 1;
    try {
      const { status, headers, body } = await endpoint({
        method: request.method,
        target: request.originalUrl,
        headers: headersOf(request.raw.rawHeaders),
        body: textOf(request.body),
        ip: request.ip,
        isHttps,
      });
      return await reply.code(status).headers(headers).send(body);
    } finally {
      underWay -= 1;
    }
  });
  return app;
}

interface ServerOptions {
  readonly logger: FastifyBaseLogger;
  /** What is routed; every other address is the endpoint's. */
  readonly paths: ReadonlySet<string>;
}

function createServer({ logger, paths }: ServerOptions): FastifyInstance {
  const app = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: DISCARDED_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    http: {
      requireHostHeader: false,
      headersTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: CONNECTIONS_CHECK_MS,
      maxHeaderSize: HEADER_BYTES_MAX,
    },
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    rewriteUrl: ({ url = '/' }) => (paths.has(url) ? url : '/'),
  });
  // The oldest clients merge by a verb of its own.
  app.addHttpMethod('MERGE', { hasBody: true });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    '*',
    async (_request: FastifyRequest, payload: AsyncIterable<Uint8Array>) => readBody(payload),
  );
  app.addHook('onRequest', (request, _reply, done) => {
    // Some clients send an empty one. Which of them fits what is asked is for the endpoint to say.
    delete request.raw.headers['content-type'];
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const line = {
      event: 'request-finished',
      method: request.method,
      status: reply.statusCode,
      durationMs: Math.round(reply.elapsedTime * 10) / 10,
    };
    app.log.debug(line, 'A request was answered.');
    done();
  });
  app.setErrorHandler<Error & { readonly statusCode?: number }>((error, request, reply) => {
    const known = error instanceof TableError ? error : new TableError(codeOf(error.statusCode));
    if (known.status === 503) void reply.header('Retry-After', '1');
    return reply
      .code(known.status)
      .header('Content-Type', JSON_TYPES.minimal)
      .send(errorJson(known, errorFacts(request.id, Date.now())));
  });
  return app;
}

function codeOf(status: number | undefined): TableErrorCode {
  if (status === 413) return 'RequestBodyTooLarge';
  return status !== undefined && status < 500 ? 'InvalidInput' : 'InternalError';
}

async function readBody(payload: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of payload) {
    bytes += chunk.length;
    if (bytes > DISCARDED_BYTES_MAX) break;
    if (bytes <= BODY_BYTES_MAX) chunks.push(chunk);
    else chunks.length = 0;
  }
  if (bytes > BODY_BYTES_MAX) throw new TableError('RequestBodyTooLarge');
  return Buffer.concat(chunks);
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOf(body: unknown): string {
  if (!(body instanceof Uint8Array)) return '';
  try {
    return decoder.decode(body);
  } catch {
    throw new TableError('InvalidInput', 'The body is no UTF-8.');
  }
}

/** A header that stands twice would be signed as one thing and read as another: the first is taken. */
function headersOf(raw: readonly string[]): Record<string, string> {
  const headers = Object.create(null) as Record<string, string>;
  for (let index = 0; index + 1 < raw.length; index += 2) {
    headers[raw[index]!.toLowerCase()] ??= raw[index + 1]!;
  }
  return headers;
}
