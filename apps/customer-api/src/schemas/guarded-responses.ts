import type { ProblemCode } from '../http/problem-catalogue.ts';
import type { RouteResponse } from './parts.ts';
import { type ProblemResponse, problemResponses } from './problem.ts';

/** What stands before every route for customers answers with these. */
const GUARD_PROBLEMS = [
  'token-missing',
  'token-invalid',
  'scope-missing',
  'site-refused',
  'rate-limited',
  'overloaded',
] as const satisfies readonly ProblemCode[];

/** As the rate limit sends them, on any answer. */
const RATE_LIMIT_HEADERS = {
  'ratelimit-limit': {
    type: 'integer',
    description: 'Requests that the caller may send in a minute. Only where a token is asked for.',
  },
  'ratelimit-remaining': { type: 'integer', description: 'How many of them are left.' },
  'ratelimit-reset': { type: 'integer', description: 'Seconds until they are counted anew.' },
} as const;

/** The responses of a route for customers: its `own`, and those for the problems it can end in. */
export function guardedResponses(
  codes: readonly ProblemCode[],
  own: Readonly<Record<number, RouteResponse>>,
): Record<number, RouteResponse | ProblemResponse> {
  const responses = { ...problemResponses([...GUARD_PROBLEMS, ...codes]), ...own };
  return Object.fromEntries(
    Object.entries(responses).map(([status, response]) => [
      status,
      { ...response, headers: { ...response.headers, ...RATE_LIMIT_HEADERS } },
    ]),
  );
}
