import rateLimit from '@fastify/rate-limit';
import fp from 'fastify-plugin';
import { ProblemError } from '../http/problem.ts';

export interface RateLimitPluginOptions {
  /** Requests that one caller may send in a minute, to one process. */
  readonly perMinuteMax: number;
}

const WINDOW_MS = 60_000;
/** Callers whose requests are counted; of more, those that were idle longest begin anew. */
const CALLERS_MAX = 10_000;

/** Only callers are counted: where no token is asked for, nobody can be told from anybody. */
export const rateLimitPlugin = fp(
  async (app, { perMinuteMax }: RateLimitPluginOptions) => {
    await app.register(rateLimit, {
      max: perMinuteMax,
      timeWindow: WINDOW_MS,
      cache: CALLERS_MAX,
      enableDraftSpec: true,
      keyGenerator: (request) => request.caller?.subject ?? '',
      allowList: (request) => request.caller === undefined,
      errorResponseBuilder: (_request, { ttl }) =>
        new ProblemError('rate-limited', {
          detail: `A caller may send ${perMinuteMax} requests a minute.`,
          headers: { 'retry-after': String(Math.max(1, Math.ceil(ttl / 1_000))) },
        }),
    });
  },
  { name: 'rate-limit', dependencies: ['auth'] },
);
