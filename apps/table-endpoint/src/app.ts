import underPressure from '@fastify/under-pressure';
import { errorJson, TableError, type TableErrorCode } from '@tandem/table-protocol';
import type { HttpExchange, HttpRequest } from '@tandem/telemetry';
import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
  LogController,
} from 'fastify';
import type { Endpoint } from './endpoint.ts';
import { errorFacts, type IncomingRequest, JSON_TYPES } from './exchange.ts';
import {
  BODY_BYTES_MAX,
  createRequestBodies,
  type RequestBodies,
  type RequestBody,
} from './request-bodies.ts';

export interface AppOptions {
  readonly endpoint: Endpoint;
  readonly logger: FastifyBaseLogger;
  /** Answers probes by their paths; what is not one of them is a request of the Table service. */
  readonly probes?: Readonly<Record<string, () => Promise<ProbeAnswer>>>;
  /**
   * Networks whose word is taken for the address of a caller and for whether it came by TLS, with commas between;
   * nobody's by default.
   */
  readonly trustedProxies?: string | undefined;
  /** Every caller comes by TLS, which something before this process ended without a word; false by default. */
  readonly isHttps?: boolean | undefined;
  /** What is held of the bodies of all requests; 256 MiB together by default. */
  readonly bodies?: RequestBodies | undefined;
  /** The mean delay of the event loop beyond which requests are refused, in milliseconds; none is by default. */
  readonly eventLoopDelayMsMax?: number | undefined;
  /** Traces and measures requests; undefined where telemetry is off. */
  readonly observe?: ((request: HttpRequest) => HttpExchange) | undefined;
}

export interface ProbeAnswer {
  readonly status: number;
  readonly body: object;
}

const BODIES_BYTES_MAX_DEFAULT = 256 * 1_024 * 1_024;
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
  const { probes = {}, eventLoopDelayMsMax = 0 } = options;
  const app = createServer(options);
  for (const [path, probe] of Object.entries(probes)) {
    app.get(path, async (_request, reply) => {
      const { status, body } = await probe();
      return reply.code(status).header('cache-control', 'no-store').send(body);
    });
  }
  void app.register(async (served) => {
    await served.register(underPressure, {
      maxEventLoopDelay: eventLoopDelayMsMax,
      pressureHandler: () => {
        throw new TableError('ServerBusy');
      },
    });
    serve(served, options);
  });
  return app;
}

function serve(app: FastifyInstance, options: AppOptions): void {
  const { endpoint, observe, isHttps = false } = options;
  const { bodies = createRequestBodies(BODIES_BYTES_MAX_DEFAULT) } = options;
  let underWay = 0;
  app.all('/', async (request, reply) => {
    if (underWay >= REQUESTS_AT_ONCE_MAX) throw new TableError('ServerBusy');
    underWay += 1;
    const body = bodies.open();
    const exchange = observe?.({
      method: request.method,
      route: routeOf(request.originalUrl),
      traceparent: request.headers['traceparent']?.toString(),
    });
    if (exchange !== undefined) endWithAnswer(exchange, reply);
    try {
      const answer = await within(exchange, () =>
        endpoint({
          method: request.method,
          ...placeOf(request),
          body: () => readBody(request, body),
          ip: request.ip,
          isHttps: isHttps || request.protocol === 'https',
        }),
      );
      return await reply.code(answer.status).headers(answer.headers).send(answer.body);
    } finally {
      body.release();
      underWay -= 1;
    }
  });
}

function endWithAnswer(exchange: HttpExchange, reply: FastifyReply): void {
  reply.raw.once('close', () => {
    exchange.end({ status: reply.statusCode, durationMs: reply.elapsedTime });
  });
}

/** What is awaited by the work stays within the span of the request. */
function within<T>(exchange: HttpExchange | undefined, work: () => Promise<T>): Promise<T> {
  if (exchange === undefined) return work();
  return new Promise((resolve, reject) => {
    exchange.run(() => void work().then(resolve, reject));
  });
}

/**
 * Names what an address is of, and never a table or a key: for logs and metrics. It has no word in which a log looks for a
 * secret: such a line is read and written anew, which took a twentieth of what a request costs.
 */
export function routeOf(target: string): string {
  const [path = '', query = ''] = target.split('?', 2);
  if (/(?:^|&)(?:comp|restype)=/.test(query)) return '/?comp';
  const last = path.slice(path.lastIndexOf('/') + 1);
  if (/^(?:\$|%24)batch$/i.test(last)) return '/$batch';
  if (/^tables(?:$|\(|%28)/i.test(last)) return '/Tables';
  return /=|%3d/i.test(last) ? '/{table}({row})' : '/{table}';
}

function createServer(options: AppOptions): FastifyInstance {
  const { logger, probes = {}, trustedProxies } = options;
  const paths = new Set(Object.keys(probes));
  const app = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    trustProxy: trustedProxies ?? false,
    bodyLimit: BODY_BYTES_MAX,
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
    rewriteUrl({ url = '/' }) {
      const path = pathOf(url);
      return paths.has(path) ? path : '/';
    },
  });
  app.setNotFoundHandler(() => {
    throw new TableError('UnsupportedHttpVerb');
  });
  // The oldest clients merge by a verb of its own.
  app.addHttpMethod('MERGE', { hasBody: true });
  // Nothing is read of a body before the endpoint knows who sends it.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  app.addHook('onRequest', (request, _reply, done) => {
    // Some clients send an empty one. Which of them fits what is asked is for the endpoint to say.
    delete request.raw.headers['content-type'];
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const route = paths.has(request.originalUrl)
      ? request.originalUrl
      : routeOf(request.originalUrl);
    const line = {
      event: 'request-finished',
      requestId: reply.getHeader('x-ms-request-id'),
      method: request.method,
      route,
      status: reply.statusCode,
      durationMs: Math.round(reply.elapsedTime * 10) / 10,
    };
    app.log[paths.has(route) ? 'debug' : 'info'](line, 'A request was answered.');
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

async function readBody(
  { body: payload, headers }: FastifyRequest,
  body: RequestBody,
): Promise<string> {
  if (payload === undefined || payload === null) return '';
  const announced = Number(headers['content-length'] ?? Number.NaN);
  return body.read(
    payload as AsyncIterable<Uint8Array>,
    Number.isSafeInteger(announced) ? announced : undefined,
  );
}

/** RFC 9112, 3.2.2: a target may be a whole URL, and its host counts then, whatever the header says. */
const WHOLE_URL = /^https?:\/\/(?:[^/?#]*@)?([^/?#]*)/i;

function pathOf(url: string): string {
  const path = url.replace(WHOLE_URL, '');
  return path.startsWith('?') || path === '' ? `/${path}` : path;
}

/** Those that mean one thing: what stands before this server may have looked at another of two. */
const SINGLE: ReadonlySet<string> = new Set([
  'access-control-request-method',
  'authorization',
  'content-md5',
  'content-type',
  'date',
  'host',
  'if-match',
  'if-none-match',
  'origin',
  'x-http-method',
  'x-ms-client-request-id',
  'x-ms-date',
  'x-ms-version',
]);

function placeOf({
  originalUrl,
  raw: { rawHeaders },
}: FastifyRequest): Pick<IncomingRequest, 'target' | 'headers' | 'repeated'> {
  const headers = Object.create(null) as Record<string, string>;
  let repeated: string | undefined;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!.toLowerCase();
    if (name in headers && SINGLE.has(name)) repeated = name;
    headers[name] ??= rawHeaders[index + 1]!;
  }
  const authority = WHOLE_URL.exec(originalUrl)?.[1];
  if (authority !== undefined) headers['host'] = authority;
  return { target: pathOf(originalUrl), headers, repeated };
}
