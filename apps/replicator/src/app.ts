import type { JudgeRequest } from '@tandem/core';
import type { ReplicatorView } from '@tandem/region';
import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from 'fastify';
import { healthRoutes } from './http/health-routes.ts';

export interface AppOptions {
  readonly region: string;
  readonly view: ReplicatorView;
  readonly judgeRequest: JudgeRequest;
  readonly logger: FastifyBaseLogger;
}

/** Builds the health server, which does not listen yet. */
export async function createApp(options: AppOptions): Promise<FastifyInstance> {
  const { region, view, judgeRequest, logger } = options;
  const app = fastify({
    loggerInstance: logger,
    // Probes come every few seconds and tell nothing.
    logController: new LogController({ disableRequestLogging: true }),
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    bodyLimit: BODY_BYTES_MAX,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
  });
  app.addHook('onRequest', async ({ method, raw }, reply) => {
    const { url: target = '/', rawHeaders } = raw;
    const verdict = judgeRequest({ method, target, rawHeaders });
    if (verdict.kind === 'taken') return undefined;
    return reply.code(403).type('application/problem+json').send({
      type: 'about:blank',
      title: 'Forbidden',
      status: 403,
      detail: verdict.why,
    });
  });
  app.setNotFoundHandler((_request, reply) =>
    reply.code(404).type('application/problem+json').send({
      type: 'about:blank',
      title: 'Not Found',
      status: 404,
      detail: 'There are /health/live, /health/ready and /status.',
    }),
  );
  await app.register(healthRoutes, { region, view });
  return app;
}

/** Probes and operators ask small questions, and this process has better things to do. */
const REQUEST_TIMEOUT_MS = 10_000;
const CONNECTION_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_TIMEOUT_MS = 72_000;
const BODY_BYTES_MAX = 1_024;
