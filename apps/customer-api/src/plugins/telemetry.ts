import type { HttpExchange, HttpRequest } from '@tandem/telemetry';
import fp from 'fastify-plugin';

declare module 'fastify' {
  interface FastifyRequest {
    exchange: HttpExchange | undefined;
  }
}

export interface TelemetryPluginOptions {
  readonly observe: (request: HttpRequest) => HttpExchange;
}

/** Probes ask all day long, and say nothing of what customers get. */
const PROBED = '/health';
const UNKNOWN_ROUTE = '(none)';

/** Traces and measures requests; registered only where telemetry is on. */
export const telemetryPlugin = fp<TelemetryPluginOptions>(
  async (app, { observe }) => {
    app.decorateRequest('exchange', undefined);
    app.addHook('onRequest', async (request) => {
      const route = request.routeOptions.url ?? UNKNOWN_ROUTE;
      if (route.startsWith(PROBED)) return;
      const traceparent = request.headers['traceparent']?.toString();
      request.exchange = observe({ method: request.method, route, traceparent });
    });
    // After the body was read: what is awaited from here on stays within the span.
    app.addHook('preHandler', (request, _reply, done) => {
      if (request.exchange === undefined) done();
      else request.exchange.run(done);
    });
    app.addHook('onResponse', async (request, reply) => {
      const answer = { status: reply.statusCode, durationMs: reply.elapsedTime };
      request.exchange?.end(answer);
    });
  },
  { name: 'telemetry' },
);
