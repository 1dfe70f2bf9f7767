import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply } from 'fastify';
import { toReadyAnswer } from '../health/ready-answer.ts';
import type { ProcessReadiness } from '../health/process-readiness.ts';
import { healthSchema, liveSchema, readySchema, servingSchema } from '../schemas/health.ts';

export interface HealthRoutesOptions {
  readonly region: string;
  /** Never throws, and answers within the time that a probe waits. */
  readonly readiness: () => Promise<ProcessReadiness>;
  /** Of this process alone. */
  readonly serving: () => ProcessReadiness;
}

export const healthRoutes: FastifyPluginAsyncTypebox<HealthRoutesOptions> = async (
  app,
  { region, readiness, serving },
) => {
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('cache-control', 'no-store');
  });

  const send = (reply: FastifyReply, readiness: ProcessReadiness): FastifyReply => {
    const answer = toReadyAnswer(region, readiness);
    return reply.code(answer.status === 'ready' ? 200 : 503).send(answer);
  };

  app.get('/health/live', { schema: liveSchema }, async () => ({ status: 'live', region }));
  app.get('/health/ready', { schema: readySchema }, async (_request, reply) =>
    send(reply, await readiness()),
  );
  app.get('/health/serving', { schema: servingSchema }, async (_request, reply) =>
    send(reply, serving()),
  );
  app.get('/health', { schema: healthSchema }, async (_request, reply) =>
    send(reply, await readiness()),
  );
};
