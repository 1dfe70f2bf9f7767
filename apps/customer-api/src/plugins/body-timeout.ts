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
    app.addHook('preParsing', async (request, reply) => {
      const { raw } = request;
      if (raw.complete) return;
      const timeoutMs = request.routeOptions.config.bodyTimeoutMs ?? REQUEST_TIMEOUT_MS;
      const timer = setTimeout(() => {
        if (raw.complete || reply.sent) return;
        const error = new ProblemError('request-timeout', { detail: 'The connection is closed.' });
        sendProblem(error, { request, reply: reply.header('connection', 'close') });
      }, timeoutMs);
      raw.once('close', () => clearTimeout(timer));
      raw.once('end', () => clearTimeout(timer));
    });
    // Answered before its body was there, refused by its headers for example. The client may finish
    // sending, so that it reads the answer; it may not hold the connection for as long as it likes.
    app.addHook('onResponse', async ({ raw, routeOptions }) => {
      if (raw.complete || raw.readableEnded || raw.destroyed) return;
      const timeoutMs = Math.min(
        routeOptions.config.bodyTimeoutMs ?? REQUEST_TIMEOUT_MS,
        REQUEST_TIMEOUT_MS,
      );
      const timer = setTimeout(() => raw.socket.destroy(), timeoutMs).unref();
      raw.once('close', () => clearTimeout(timer));
      raw.once('end', () => clearTimeout(timer));
    });
  },
  { name: 'body-timeout', dependencies: ['problems'] },
);
