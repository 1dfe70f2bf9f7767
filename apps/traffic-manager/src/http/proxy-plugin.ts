// The traffic itself. Real Traffic Manager only answers DNS and hides no outage before its probes
// notice it, so a request that fails here is tried once, on the endpoint it was resolved to.
import { METHODS } from 'node:http';
import type { LookupFunction } from 'node:net';
import httpProxy from '@fastify/http-proxy';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { EndpointAddress } from '../monitoring/profile.ts';
import type { EndpointResolver } from '../monitoring/resolve-endpoint.ts';
import { answerHeaders, ENDPOINT_HEADER, requestHeaders } from './forward-headers.ts';
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
  /** Of the endpoints' names. */
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
