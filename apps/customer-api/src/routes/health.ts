import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply } from 'fastify';
import { toReadyAnswer } from '../health/ready-answer.ts';
import type { ProcessReadiness } from '../health/process-readiness.ts';
import { healthSchema, liveSchema, readySchema } from '../schemas/health.ts';

export interface HealthRoutesOptions {
  readonly region: string;
  /** Never throws, and answers within the time that a probe waits. */
  readonly readiness: () => Promise<ProcessReadiness>;
}

export const healthRoutes: FastifyPluginAsyncTypebox<HealthRoutesOptions> = async (
  app,
  { region, readiness },
) => {
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('cache-control', 'no-store');
  });

  const sendReadiness = async (reply: FastifyReply): Promise<FastifyReply> => {
    const answer = toReadyAnswer(region, await readiness());
    return reply.code(answer.status === 'ready' ? 200 : 503).send(answer);
  };

  app.get('/health/live', { schema: liveSchema }, async () => ({ status: 'live', region }));
  app.get('/health/ready', { schema: readySchema }, async (_request, reply) =>
    sendReadiness(reply),
  );
  app.get('/health', { schema: healthSchema }, async (_request, reply) => sendReadiness(reply));
};
