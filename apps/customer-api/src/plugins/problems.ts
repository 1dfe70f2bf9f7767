import type { FastifyError } from 'fastify';
import fp from 'fastify-plugin';
import { createAllowedMethods } from '../http/allowed-methods.ts';
import { ProblemError } from '../http/problem.ts';
import { logUnexpected, sendProblem } from '../http/send-problem.ts';

/** Every error, from wherever, leaves as problem+json; so do unknown paths and methods. */
export const problemsPlugin = fp(
  async (app) => {
    const allowed = createAllowedMethods();
    app.addHook('onRoute', (route) => allowed.add(route.url, route.method));

    // Here and not in the handler of unknown paths, which runs after the body has been parsed.
    app.addHook('onRequest', (request, _reply, done) => {
      done(request.is404 ? unknownRoute(allowed.of(pathOf(request.url))) : undefined);
    });
    app.setNotFoundHandler(() => {
      throw unknownRoute([]);
    });

    app.setErrorHandler((error: FastifyError, request, reply) => {
      const methods = isOfParams(error) ? allowed.of(pathOf(request.url)) : [request.method];
      const shown = methods.includes(request.method) ? error : unknownRoute(methods);
      sendProblem(shown, { request, reply });
      logUnexpected(shown, request.log);
    });
  },
  { name: 'problems' },
);

/** Then the path may be that of another route, with another method: GET /customers/batch. */
function isOfParams({ validationContext }: FastifyError): boolean {
  return validationContext === 'params';
}

function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? '';
}

function unknownRoute(methods: readonly string[]): ProblemError {
  if (methods.length === 0) {
    return new ProblemError('route-not-found', { detail: 'See /docs for the paths there are.' });
  }
  return new ProblemError('method-not-allowed', {
    detail: `This path takes ${methods.join(', ')}.`,
    headers: { allow: methods.join(', ') },
  });
}
