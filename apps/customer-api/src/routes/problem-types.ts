import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { PROBLEM_CODES, PROBLEMS, ProblemError, problemType } from '../http/problem.ts';
import { ANYONE } from '../plugins/auth.ts';
import { jsonResponse, problemResponses } from './schema-parts.ts';
/** The type URI of a problem leads to what it means. */
export const problemTypeRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/problems/:code', { schema: problemTypeSchema }, async (request) => {
    const code = PROBLEM_CODES.find((one) => one === request.params.code);
    if (code === undefined) {
      throw new ProblemError('route-not-found', { detail: 'There is no such problem type.' });
    }
    return { type: problemType(code), ...PROBLEMS[code] };
  });
};

export const ProblemTypeAnswer = Type.Object(
  { type: Type.String(), title: Type.String(), status: Type.Integer() },
  {
    $id: 'ProblemType',
    description: 'What a problem type means.',
    examples: [
      {
        type: '/problems/customer-not-found',
        title: 'There is no such customer.',
        status: 404,
      },
    ],
  },
);

const problemTypeSchema = {
  operationId: 'getProblemType',
  security: ANYONE,
  summary: 'What the type of a problem means',
  description: 'The `type` of every problem is a path that leads here.',
  tags: ['problems'],
  params: Type.Object({
    code: Type.String({ description: 'The last part of the type of a problem.' }),
  }),
  response: {
    200: jsonResponse('ProblemType', { description: 'Its title and status.' }),
    ...problemResponses(['route-not-found']),
  },
};
