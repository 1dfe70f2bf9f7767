import fp from 'fastify-plugin';
import { traceIdOf } from '../http/trace-id.ts';

/**
 * One line for each request: never its body, query, headers or path, which may hold personal data
 * and ids, but the route that it took.
 */
export const requestLogPlugin = fp(
  async (app) => {
    app.addHook('onResponse', (request, reply, done) => {
      const traceId = traceIdOf(request.headers['traceparent']);
      const line = {
        requestId: request.id,
        // The client's own, and so no more than a hint.
        ...(traceId === undefined ? {} : { traceId }),
        event: 'request-finished',
        method: request.method,
        route: request.routeOptions.url ?? 'unknown',
        status: reply.statusCode,
        durationMs: Math.round(reply.elapsedTime * 10) / 10,
      };
      const isHealth = line.route.startsWith('/health');
      app.log[isHealth ? 'debug' : 'info'](line, 'A request was answered.');
      done();
    });
  },
  { name: 'request-log' },
);
