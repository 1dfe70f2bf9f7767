import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply } from 'fastify';
import { toReadyAnswer } from '../health/ready-answer.ts';
import type { ReadinessProbe } from '../health/readiness-probe.ts';
import { healthSchema, liveSchema, readySchema } from '../schemas/health.ts';

export interface HealthRoutesOptions {
  readonly region: string;
  readonly readiness: ReadinessProbe;
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
