import { Type } from 'typebox';
import { ANYONE } from '../auth/scopes.ts';
import { jsonResponse } from './parts.ts';
import { problemResponses } from './problem.ts';

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

export const problemTypeSchema = {
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
