// The traffic itself. Real Traffic Manager only answers DNS and hides no outage before its probes
// notice it, so a request that fails here is tried once, on the endpoint it was resolved to.
import { type IncomingHttpHeaders, METHODS } from 'node:http';
import type { LookupFunction } from 'node:net';
import httpProxy from '@fastify/http-proxy';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { EndpointAddress } from '../monitoring/profile.ts';
import type { EndpointResolver } from '../monitoring/resolve-endpoint.ts';
import { sendProblem } from './problem.ts';

const ENDPOINT_CONNECTIONS_MAX = 1024;
const CONNECT_TIMEOUT_MS = 10_000;
/** How long an endpoint may take to begin an answer, and then to send nothing of it. */
const ENDPOINT_SILENCE_MS_MAX = 300_000;

declare module 'fastify' {
  interface FastifyRequest {
    /** The endpoint this request was resolved to; unset on requests that are not forwarded. */
    trafficEndpoint: EndpointAddress | undefined;
  }
}

export interface ProxyPluginOptions {
  readonly resolver: EndpointResolver;
  /** Resolves the names of the endpoints. */
  readonly lookup: LookupFunction;
}

/** Forwards every request that no other route takes. */
export async function proxyPlugin(
  app: FastifyInstance,
  { resolver, lookup }: ProxyPluginOptions,
): Promise<void> {
  app.decorateRequest('trafficEndpoint', undefined);
  // Without this a text/plain body would be read into memory, decoded and limited in size.
  app.removeAllContentTypeParsers();
  await app.register(httpProxy, {
    upstream: '',
    // The library writes a warning with a stack for each failed request; under load in an outage
    // that would bury the lines that say when the traffic moved.
    logLevel: 'error',
    httpMethods: allowAllMethods(app),
    internalRewriteLocationHeader: false,
    disableCache: true,
    disableRequestLogging: true,
    destroyAgent: true,
    undici: {
      connections: ENDPOINT_CONNECTIONS_MAX,
      connectTimeout: CONNECT_TIMEOUT_MS,
      connect: { lookup },
      headersTimeout: ENDPOINT_SILENCE_MS_MAX,
      bodyTimeout: ENDPOINT_SILENCE_MS_MAX,
    },
    preHandler: (request, reply, done) => {
      const choice = resolver.resolve(request.ip);
      if (choice.kind === 'none-enabled') return sendNoneEnabled(reply);
      request.trafficEndpoint = choice.endpoint;
      return done();
    },
    replyOptions: {
      // The library's default repeats a GET that was answered with 503, ten times.
      retryDelay: () => null,
      getUpstream: (request) => endpointOf(request).url,
      rewriteRequestHeaders: (request, headers) =>
        requestHeaders(headers, {
          method: request.method,
          clientAddress: request.ip,
          protocol: request.protocol,
          host: request.headers.host,
        }),
      rewriteHeaders: (headers, request) =>
        request === undefined ? headers : answerHeaders(headers, endpointOf(request).name),
      onError: (reply, { error }) => sendUnreachable(reply as FastifyReply, error),
    },
  });
}

/** Every method that Node can parse; CONNECT asks for a tunnel and never reaches a route. */
function allowAllMethods(app: FastifyInstance): string[] {
  for (const method of METHODS) {
    if (method === 'CONNECT' || app.supportedMethods.includes(method)) continue;
    app.addHttpMethod(method, { hasBody: true });
  }
  return app.supportedMethods;
}

function endpointOf(request: Pick<FastifyRequest, 'trafficEndpoint'>): EndpointAddress {
  if (request.trafficEndpoint === undefined) throw new Error('The request was not resolved.');
  return request.trafficEndpoint;
}

function sendNoneEnabled(reply: FastifyReply): void {
  sendProblem(reply, {
    title: 'Service Unavailable',
    status: 503,
    code: 'NO_ENDPOINT_ENABLED',
    detail:
      'Every endpoint is disabled. Enable one: POST /_traffic-manager/endpoints/<name>/enable.',
  });
}

function sendUnreachable(reply: FastifyReply, error: Error): void {
  const { name, url } = endpointOf(reply.request);
  const isTimeout = 'statusCode' in error && error.statusCode === 504;
  const reason = reasonOf(error.cause ?? error);
  reply.header(ENDPOINT_HEADER, name);
  sendProblem(reply, {
    title: isTimeout ? 'Gateway Timeout' : 'Bad Gateway',
    status: isTimeout ? 504 : 502,
    code: isTimeout ? 'ENDPOINT_TIMEOUT' : 'ENDPOINT_UNREACHABLE',
    detail: `The endpoint ${name} (${url}) did not answer: ${reason}. The request was not repeated.`,
    endpoint: name,
  });
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message;
}

// What the proxy changes in the headers of a request and of its answer; all else passes as it came.
const ENDPOINT_HEADER = 'x-tandem-endpoint';

/** Belong to one connection (RFC 9110, 7.6.1): they end here, in both directions. */
const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
/** What is said to a proxy, and by it, is not said to who stands behind it. */
const PROXY_PREFIX = 'proxy-';
/** How long a body is, and whose the request is, are no matter of a connection, whatever it says. */
const NEVER_NAMED: ReadonlySet<string> = new Set(['content-length', 'host']);

interface ForwardedRequest {
  readonly method: string;
  readonly clientAddress: string;
  readonly protocol: string;
  readonly host: string | undefined;
}

/**
 * Headers for the endpoint. The Host stays the one that the client used, as it does behind real
 * Traffic Manager, which is only DNS; x-forwarded-* name the client and this hop.
 */
export function requestHeaders(
  headers: IncomingHttpHeaders,
  request: ForwardedRequest,
): IncomingHttpHeaders {
  // The server has already answered "100 Continue", and the client library refuses the header.
  const forwarded = withoutConnection(headers);
  delete forwarded.expect;
  // The body of a GET or HEAD is not forwarded, so its length must not be either.
  if (request.method === 'GET' || request.method === 'HEAD') delete forwarded['content-length'];
  const earlierHops = [forwarded['x-forwarded-for'] ?? []].flat();
  forwarded['x-forwarded-for'] = [...earlierHops, request.clientAddress].join(', ');
  forwarded['x-forwarded-proto'] = request.protocol;
  if (request.host !== undefined) {
    forwarded.host = request.host;
    forwarded['x-forwarded-host'] = request.host;
  }
  return forwarded;
}

/** Returns the headers for the client: the endpoint's own, and which endpoint it was. */
export function answerHeaders(
  headers: IncomingHttpHeaders,
  endpointName: string,
): IncomingHttpHeaders {
  return { ...withoutConnection(headers), [ENDPOINT_HEADER]: endpointName };
}

/** Without what belongs to the connection, by its nature or because its own header names it. */
function withoutConnection(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const options = [headers.connection ?? []].flat().join(',').toLowerCase().split(',');
  const named = new Set(options.map((option) => option.trim()));
  const ends = (name: string): boolean =>
    CONNECTION_HEADERS.has(name) ||
    name.startsWith(PROXY_PREFIX) ||
    (named.has(name) && !NEVER_NAMED.has(name));
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !ends(name.toLowerCase())));
}
