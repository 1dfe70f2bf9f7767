import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { ProblemError } from '../http/problem.ts';
import { PROBLEM_CODES, PROBLEMS, problemType } from '../http/problem-catalogue.ts';
import { problemTypeSchema } from '../schemas/problem-type.ts';

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
