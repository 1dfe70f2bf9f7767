import type { IncomingMessage } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { ProblemError } from '../http/problem.ts';
import { REQUEST_TIMEOUT_MS } from '../http/limits.ts';
import { sendProblem } from '../http/send-problem.ts';

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
