import type { FastifyReply, FastifyRequest } from 'fastify';
import { PROBLEM_MEDIA_TYPE, PROBLEMS } from './problem-catalogue.ts';
import { type ProblemError, toProblem, toProblemError } from './problem.ts';

interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** Answers with the problem that `error` is to a client, and returns it. */
export function sendProblem(error: unknown, { request, reply }: Exchange): ProblemError {
  const problem = toProblemError(error);
  void reply
    .code(PROBLEMS[problem.code].status)
    .headers(problem.headers)
    .type(PROBLEM_MEDIA_TYPE)
    .send(toProblem(problem, request.id));
  return problem;
}
