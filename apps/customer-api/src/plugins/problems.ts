import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { TerminalError } from '@tandem/core';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import {
  PROBLEM_MEDIA_TYPE,
  PROBLEMS,
  ProblemError,
  toProblem,
  toProblemError,
} from '../http/problem.ts';

/** Every error, from wherever, leaves as problem+json; so do unknown paths and methods. */
export const problemsPlugin = fp(
  async (app) => {
    const allowed = createAllowedMethods();
    app.addHook('onRoute', (route) => allowed.add(route.url, route.method));

    // Here and not in the handler of unknown paths, which runs after the body has been parsed.
    app.addHook('onRequest', (request, _reply, done) => {
      done(request.is404 ? unknownRoute(allowed.of(pathOf(request.url))) : undefined);
    });
    app.setNotFoundHandler(() => {
      throw unknownRoute([]);
    });

    app.setErrorHandler((error: FastifyError, request, reply) => {
      const methods = isOfParams(error) ? allowed.of(pathOf(request.url)) : [request.method];
      const shown = methods.includes(request.method) ? error : unknownRoute(methods);
      sendProblem(shown, { request, reply });
      logUnexpected(shown, request.log);
    });
  },
  { name: 'problems' },
);

/** Then the path may be that of another route, with another method: GET /customers/batch. */
function isOfParams({ validationContext }: FastifyError): boolean {
  return validationContext === 'params';
}

function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? '';
}

function unknownRoute(methods: readonly string[]): ProblemError {
  if (methods.length === 0) {
    return new ProblemError('route-not-found', { detail: 'See /docs for the paths there are.' });
  }
  return new ProblemError('method-not-allowed', {
    detail: `This path takes ${methods.join(', ')}.`,
    headers: { allow: methods.join(', ') },
  });
}

interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** Answers with the problem that `error` is to a client. */
export function sendProblem(error: unknown, { request, reply }: Exchange): void {
  const problem = toProblemError(error);
  const { consumes } = request.routeOptions.schema ?? {};
  if (problem.code === 'unsupported-media-type' && consumes !== undefined) {
    reply.headers(takenTypes(consumes, request.method));
  }
  void reply
    .code(PROBLEMS[problem.code].status)
    .headers(problem.headers)
    .type(PROBLEM_MEDIA_TYPE)
    .send(toProblem(problem, request.id));
}

/** Follows RFC 9110, 15.5.16, and RFC 5789, 2.2. */
function takenTypes(types: readonly string[], method: string): Record<string, string> {
  const accept = types.join(', ');
  return method === 'PATCH' ? { accept, 'accept-patch': accept } : { accept };
}

/**
 * What a client is told of as a 500, and nothing more, and what no later request mends by itself: only the
 * log says what it was.
 */
export function logUnexpected(error: unknown, log: FastifyRequest['log']): void {
  const isBroken = PROBLEMS[toProblemError(error).code].status === 500;
  if (!isBroken && !(error instanceof TerminalError && isUnavailable(error))) return;
  log.error({ event: 'request-failed', error }, 'A request failed unexpectedly.');
}

/** Tells whether the region as a whole cannot do what was asked, whatever else the request says. */
export function isUnavailable(error: unknown): boolean {
  return toProblemError(error).code === 'service-unavailable';
}

/** Tells which methods a path takes, for the Allow header of a 405 answer. */
interface AllowedMethods {
  add(pattern: string, methods: string | readonly string[]): void;
  /** Empty when no route has this path. `path` is without its query. */
  of(path: string): readonly string[];
}

/** Patterns are a router's: `/customers/:customerId`, `/docs/*`. */
function createAllowedMethods(): AllowedMethods {
  const methodsByPattern = new Map<string, Set<string>>();
  return {
    add(pattern, methods) {
      const known = methodsByPattern.get(pattern) ?? new Set();
      for (const method of [methods].flat()) known.add(method);
      methodsByPattern.set(pattern, known);
    },
    of(path) {
      // As the router has it: /customers/batch is not the customer called batch.
      const own = methodsByPattern.get(path);
      if (own !== undefined) return [...own].sort();
      const allowed = [...methodsByPattern].flatMap(([pattern, methods]) =>
        isMatch(pattern, path) ? [...methods] : [],
      );
      return [...new Set(allowed)].sort();
    },
  };
}

function isMatch(pattern: string, path: string): boolean {
  const expected = pattern.split('/');
  const given = path.split('/');
  if (expected.at(-1) === '*') {
    return expected.slice(0, -1).every((part, index) => part === given[index]);
  }
  if (expected.length !== given.length) return false;
  return expected.every((part, index) =>
    part.startsWith(':') ? given[index] !== '' : part === given[index],
  );
}

/**
 * Requests that run when the server begins to close get their answer as the last one on their
 * connection. Without it the connection stays open until its keep-alive ends, and so does the server.
 */
export const lastAnswersPlugin = fp(
  async (app) => {
    let isClosing = false;
    app.addHook('preClose', async () => {
      isClosing = true;
    });
    // oxlint-disable-next-line max-params -- the framework's; a promise costs each request more.
    app.addHook('onSend', (_request, reply, payload, done) => {
      if (isClosing) reply.header('connection', 'close');
      done(null, payload);
    });
  },
  { name: 'last-answers' },
);

interface ClientErrorOptions {
  readonly region: string;
  readonly newRequestId: () => string;
}

/** Answers what the HTTP parser refuses, before there is any request to route. */
export function createClientErrorHandler(
  options: ClientErrorOptions,
): (error: Error & { code: string }, socket: Socket) => void {
  return (error, socket) => {
    if (error.code === 'ECONNRESET' || socket.destroyed) return;
    if (socket.writable) socket.write(rawAnswer(problemOf(error.code), options));
    socket.destroy();
  };
}

function problemOf(code: string): ProblemError {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new ProblemError('request-timeout', { detail: 'The connection is closed.' });
    case 'HPE_HEADER_OVERFLOW':
      return new ProblemError('headers-too-large', { detail: 'All headers: at most 16 KiB.' });
    default:
      return new ProblemError('malformed-request', { detail: 'It is no HTTP/1.1 request.' });
  }
}

function rawAnswer(error: ProblemError, { region, newRequestId }: ClientErrorOptions): string {
  const requestId = newRequestId();
  const body = JSON.stringify(toProblem(error, requestId));
  const { status } = PROBLEMS[error.code];
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    `content-type: ${PROBLEM_MEDIA_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    `x-tandem-region: ${region}`,
    `x-request-id: ${requestId}`,
    'connection: close',
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}
