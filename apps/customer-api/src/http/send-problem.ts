import { TerminalError } from '@tandem/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { PROBLEM_MEDIA_TYPE, PROBLEMS } from './problem-catalogue.ts';
import { toProblem, toProblemError } from './problem.ts';

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

/** RFC 9110, 15.5.16, and RFC 5789, 2.2. */
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

/** Whether the region as a whole cannot do what was asked, whatever else the request says. */
export function isUnavailable(error: unknown): boolean {
  return toProblemError(error).code === 'service-unavailable';
}
