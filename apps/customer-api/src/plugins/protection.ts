import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import rateLimit from '@fastify/rate-limit';
import underPressure from '@fastify/under-pressure';
import type { JudgeRequest } from '@tandem/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import helmet, { type HelmetOptions } from 'helmet';
import { REQUEST_TIMEOUT_MS } from '../http/limits.ts';
import { ProblemError } from '../http/problem.ts';
import { sendProblem } from './problems.ts';

interface LoadSheddingPluginOptions {
  /**
   * The mean delay of the event loop over a second, beyond which every answer is late and more work
   * would make all of them later. 0 sheds nothing.
   */
  readonly eventLoopDelayMsMax: number;
}

const RETRY_AFTER_S = 2;

/** Refuses at once what this process could answer only too late. Not for probes. */
export const loadSheddingPlugin = fp(
  async (app, { eventLoopDelayMsMax }: LoadSheddingPluginOptions) => {
    await app.register(underPressure, {
      maxEventLoopDelay: eventLoopDelayMsMax,
      pressureHandler: () => {
        throw new ProblemError('overloaded', {
          detail: 'This process has more to do than it can: send the request again later.',
          headers: { 'retry-after': String(RETRY_AFTER_S) },
        });
      },
    });
  },
  { name: 'load-shedding', dependencies: ['problems'] },
);

interface RateLimitPluginOptions {
  /** Requests that one caller may send in a minute, to one process. */
  readonly perMinuteMax: number;
}

const WINDOW_MS = 60_000;
/** Callers whose requests are counted; of more, those that were idle longest begin anew. */
const CALLERS_MAX = 10_000;

/** Only callers are counted: where no token is asked for, nobody can be told from anybody. */
export const rateLimitPlugin = fp(
  async (app, { perMinuteMax }: RateLimitPluginOptions) => {
    await app.register(rateLimit, {
      max: perMinuteMax,
      timeWindow: WINDOW_MS,
      cache: CALLERS_MAX,
      enableDraftSpec: true,
      keyGenerator: (request) => request.caller?.subject ?? '',
      allowList: (request) => request.caller === undefined,
      errorResponseBuilder: (_request, { ttl }) =>
        new ProblemError('rate-limited', {
          detail: `A caller may send ${perMinuteMax} requests a minute.`,
          headers: { 'retry-after': String(Math.max(1, Math.ceil(ttl / 1_000))) },
        }),
    });
  },
  { name: 'rate-limit', dependencies: ['auth'] },
);

declare module 'fastify' {
  interface FastifyContextConfig {
    /** For a route whose body is a stream and may take longer than others; in milliseconds. */
    bodyTimeoutMs?: number;
  }
}

/**
 * How long the body of a request may take to arrive. The server has one limit for all routes, the
 * longest; a slow client of any other route loses its connection after the usual one.
 */
export const bodyTimeoutPlugin = fp(
  async (app) => {
    // oxlint-disable-next-line max-params -- the framework's; a promise costs each request more.
    app.addHook('preParsing', (request, reply, payload, done) => {
      const { raw } = request;
      if (!raw.complete && announcesBody(raw)) {
        const timeoutMs = request.routeOptions.config.bodyTimeoutMs ?? REQUEST_TIMEOUT_MS;
        onLateBody(raw, timeoutMs, () => refuseLateBody(request, reply));
      }
      done(null, payload);
    });
    // Answered before its body was there, refused by its headers for example. The client may finish
    // sending, so that it reads the answer; it may not hold the connection for as long as it likes.
    app.addHook('onResponse', (request, _reply, done) => {
      const { raw } = request;
      if (!raw.complete && !raw.readableEnded && !raw.destroyed) {
        const own = request.routeOptions.config.bodyTimeoutMs ?? REQUEST_TIMEOUT_MS;
        onLateBody(raw, Math.min(own, REQUEST_TIMEOUT_MS), () => raw.destroy());
      }
      done();
    });
  },
  { name: 'body-timeout', dependencies: ['problems'] },
);

/** Without one of the two a request ends with its headers (RFC 9112, 6.3). */
function announcesBody({ headers }: IncomingMessage): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
}

function refuseLateBody(request: FastifyRequest, reply: FastifyReply): void {
  if (request.raw.complete || reply.sent) return;
  const error = new ProblemError('request-timeout', { detail: 'The connection is closed.' });
  sendProblem(error, { request, reply: reply.header('connection', 'close') });
}

/** Calls `late` unless the body, or the connection, ends before. */
function onLateBody(raw: IncomingMessage, timeoutMs: number, late: () => void): void {
  const timer = setTimeout(late, timeoutMs).unref();
  raw.once('close', () => clearTimeout(timer));
  raw.once('end', () => clearTimeout(timer));
}

/** For browsers: nothing but /docs is a page, and that loads only from here. CORS stays closed. */
const OPTIONS: HelmetOptions = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'"],
      // The page of the documentation sets styles on its elements.
      styleSrc: ["'self'", "'unsafe-inline'"],
      imgSrc: ["'self'", 'data:'],
      connectSrc: ["'self'"],
      frameAncestors: ["'none'"],
      baseUri: ["'none'"],
      formAction: ["'none'"],
    },
  },
};

/**
 * Customers are personal data: whoever keeps an answer keeps it for itself, and asks with its ETag, which
 * a proxy that packs answers would make another one that no write matches.
 */
const NOT_SHARED = { 'cache-control': 'private, no-cache, no-transform' };

export const securityHeadersPlugin = fp(
  async (app) => {
    const headers = { ...securityHeaders(), ...NOT_SHARED };
    app.addHook('onRequest', (_request, reply, done) => {
      reply.headers(headers);
      done();
    });
  },
  { name: 'security-headers' },
);

/** None of them depends on the request, so helmet is asked once, with a request that nobody sent. */
function securityHeaders(): Record<string, string> {
  const request = new IncomingMessage(new Socket());
  const response = new ServerResponse(request);
  helmet(OPTIONS)(request, response, (error) => {
    if (error !== undefined) throw error;
  });
  const headers = Object.entries(response.getHeaders());
  return Object.fromEntries(headers.map(([name, value]) => [name, String(value)]));
}

interface HttpRulesOptions {
  /** Undefined where every request brings a token, which no browser sends by itself. */
  readonly judgeRequest: JudgeRequest | undefined;
}

/**
 * What Node would answer by itself, without a body: a request that names no host or two, and one that
 * expects what nobody knows (RFC 9110, 10.1.1, lets a server pass over that). And whether pages of other
 * sites may ask here.
 */
export const httpRulesPlugin = fp<HttpRulesOptions>(
  async (app, { judgeRequest }) => {
    app.server.on('checkExpectation', (request, response) => {
      app.server.emit('request', request, response);
    });
    app.addHook('onRequest', ({ raw }, reply, done) => {
      // Nothing is upgraded here, and Node reads nothing of what was sent behind such a request: it would
      // never be answered.
      if (raw.headers.upgrade !== undefined) void reply.header('connection', 'close');
      const hosts = countHosts(raw.rawHeaders);
      if (hosts === 1 || (hosts === 0 && raw.httpVersion !== '1.1')) return done();
      done(new ProblemError('malformed-request', { detail: 'HTTP/1.1 asks for one Host header.' }));
    });
    if (judgeRequest === undefined) return;
    app.addHook('onRequest', ({ method, raw }, _reply, done) => {
      const { url: target = '/', rawHeaders } = raw;
      const verdict = judgeRequest({ method, target, rawHeaders });
      if (verdict.kind === 'taken') return done();
      done(new ProblemError('site-refused', { detail: verdict.why }));
    });
  },
  { name: 'http-rules', dependencies: ['common-headers', 'problems'] },
);

/** Node keeps the first and drops the others, which RFC 9112, 3.2, has refused. */
function countHosts(rawHeaders: readonly string[]): number {
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === 'host') hosts += 1;
  }
  return hosts;
}
