import type { FastifyReply } from 'fastify';
import { type Static, Type } from 'typebox';

const PROBLEM_CONTENT_TYPE = 'application/problem+json';

export const problemSchema = Type.Object({
  type: Type.Literal('about:blank'),
  title: Type.String(),
  status: Type.Integer(),
  code: Type.String(),
  detail: Type.String(),
  endpoint: Type.Optional(Type.String()),
});

type Problem = Omit<Static<typeof problemSchema>, 'type'>;

/** Answers with problem+json (RFC 9457); `code` is the stable part for programs. */
export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  return reply
    .code(problem.status)
    .type(PROBLEM_CONTENT_TYPE)
    .send({ type: 'about:blank', ...problem });
}
