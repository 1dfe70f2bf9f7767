import type { HttpExchange, HttpRequest } from '@tandem/telemetry';
import type { FastifyBaseLogger, FastifyReply } from 'fastify';
import fp from 'fastify-plugin';

/**
 * One line for each request: never its body, query, headers or path, which may hold personal data
 * and ids, but the route that it took.
 */
export const requestLogPlugin = fp(
  async (app) => {
    app.addHook('onResponse', (request, reply, done) => {
      const traceId = traceIdOf(request.headers['traceparent']);
      const line = {
        requestId: request.id,
        // The client's own, and so no more than a hint.
        ...(traceId === undefined ? {} : { traceId }),
        event: 'request-finished',
        method: request.method,
        route: request.routeOptions.url ?? 'unknown',
        status: reply.statusCode,
        durationMs: Math.round(reply.elapsedTime * 10) / 10,
      };
      const isHealth = line.route.startsWith('/health');
      app.log[isHealth ? 'debug' : 'info'](line, 'A request was answered.');
      done();
    });
  },
  { name: 'request-log' },
);

const TRACEPARENT =
  /^(?!ff)(?<version>[0-9a-f]{2})-(?!0{32})(?<traceId>[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?<more>-.*)?$/;
const TRACEPARENT_LENGTH_MAX = 256;

/** The trace id of a W3C `traceparent` header; undefined when there is none, or a malformed one. */
export function traceIdOf(header: string | string[] | undefined): string | undefined {
  if (typeof header !== 'string' || header.length > TRACEPARENT_LENGTH_MAX) return undefined;
  const { version, traceId, more } = TRACEPARENT.exec(header)?.groups ?? {};
  // Later versions may append fields, version 00 may not.
  return version === '00' && more !== undefined ? undefined : traceId;
}

type Bindings = Parameters<FastifyBaseLogger['child']>[0];
type ChildOptions = Parameters<FastifyBaseLogger['child']>[1];
type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/**
 * The log of one request, whose lines carry its id. Nearly all requests have no line but that of the
 * request log, which names the id itself: what others need is made for the first of them.
 */
export class RequestLogger implements FastifyBaseLogger {
  readonly #parent: FastifyBaseLogger;
  readonly #bindings: Bindings;
  readonly #options: ChildOptions;
  #made: FastifyBaseLogger | undefined;

  constructor(parent: FastifyBaseLogger, bindings: Bindings, options: ChildOptions) {
    this.#parent = parent;
    this.#bindings = bindings;
    this.#options = options;
  }

  get level(): string {
    return this.#log().level;
  }

  set level(level: string) {
    this.#log().level = level;
  }

  child(bindings: Bindings, options?: ChildOptions): FastifyBaseLogger {
    return this.#log().child(bindings, options);
  }

  trace(...line: unknown[]): void {
    this.#write('trace', line);
  }

  debug(...line: unknown[]): void {
    this.#write('debug', line);
  }

  info(...line: unknown[]): void {
    this.#write('info', line);
  }

  warn(...line: unknown[]): void {
    this.#write('warn', line);
  }

  error(...line: unknown[]): void {
    this.#write('error', line);
  }

  fatal(...line: unknown[]): void {
    this.#write('fatal', line);
  }

  silent(...line: unknown[]): void {
    this.#write('silent', line);
  }

  #log(): FastifyBaseLogger {
    return (this.#made ??= this.#parent.child(this.#bindings, this.#options));
  }

  #write(level: Level, line: unknown[]): void {
    const log = this.#log();
    Reflect.apply(log[level], log, line);
  }
}

declare module 'fastify' {
  interface FastifyRequest {
    exchange: HttpExchange | undefined;
  }
}

export interface TelemetryPluginOptions {
  readonly observe: (request: HttpRequest) => HttpExchange;
}

/** Probes ask all day long, and say nothing of what customers get. */
const PROBED = '/health';
const UNKNOWN_ROUTE = '(none)';

/** Traces and measures requests; registered only where telemetry is on. */
export const telemetryPlugin = fp<TelemetryPluginOptions>(
  async (app, { observe }) => {
    app.decorateRequest('exchange', undefined);
    app.addHook('onRequest', async (request) => {
      const route = request.routeOptions.url ?? UNKNOWN_ROUTE;
      if (route.startsWith(PROBED)) return;
      const traceparent = request.headers['traceparent']?.toString();
      request.exchange = observe({ method: request.method, route, traceparent });
    });
    // After the body was read: what is awaited from here on stays within the span.
    app.addHook('preHandler', (request, _reply, done) => {
      if (request.exchange === undefined) done();
      else request.exchange.run(done);
    });
    app.addHook('onResponse', async (request, reply) => {
      const answer = { status: reply.statusCode, durationMs: reply.elapsedTime };
      request.exchange?.end(answer);
    });
  },
  { name: 'telemetry' },
);

interface CommonHeadersOptions {
  readonly region: string;
}

/** Which region answered, and under which id the request is in its log: on every answer. */
export const commonHeadersPlugin = fp(
  async (app, { region }: CommonHeadersOptions) => {
    app.addHook('onRequest', (request, reply, done) => {
      setCommonHeaders(reply, { region, requestId: request.id });
      done();
    });
  },
  { name: 'common-headers' },
);

interface CommonHeaders {
  readonly region: string;
  readonly requestId: string;
}

export function setCommonHeaders(reply: FastifyReply, headers: CommonHeaders): void {
  reply.header('x-tandem-region', headers.region).header('x-request-id', headers.requestId);
}
