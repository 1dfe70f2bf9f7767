import type { FastifyPluginAsync, FastifyReply } from 'fastify';
import type { Liveness, ProcessReadiness } from '../health/decide-health.ts';
import { LiveAnswer, ReadyAnswer } from '../schemas/health.ts';
import { StatusAnswer } from '../schemas/status.ts';

/** What the process says of itself; from memory, so it answers during any outage. */
export interface ProcessView {
  liveness(): Liveness;
  readiness(): ProcessReadiness;
  status(): StatusAnswer;
}

export interface HealthRoutesOptions {
  readonly region: string;
  readonly view: ProcessView;
}

export const healthRoutes: FastifyPluginAsync<HealthRoutesOptions> = async (
  app,
  { region, view },
) => {
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('cache-control', 'no-store');
  });

  const liveSchema = { response: { 200: LiveAnswer, 503: LiveAnswer } };
  app.get('/health/live', { schema: liveSchema }, async (_request, reply) => {
    const liveness = view.liveness();
    const answer: LiveAnswer =
      liveness.kind === 'live'
        ? { status: 'live', region, loops: [] }
        : { status: 'stalled', region, loops: [...liveness.loops] };
    return reply.code(liveness.kind === 'live' ? 200 : 503).send(answer);
  });

  const readySchema = { response: { 200: ReadyAnswer, 503: ReadyAnswer } };
  const sendReadiness = (reply: FastifyReply): FastifyReply => {
    const readiness = view.readiness();
    const answer: ReadyAnswer =
      readiness.kind === 'ready'
        ? { status: 'ready', region, reasons: [] }
        : { status: 'not-ready', region, reasons: [...readiness.reasons] };
    return reply.code(readiness.kind === 'ready' ? 200 : 503).send(answer);
  };
  // What is ready here is the process, so both names mean the same; the customer API tells them apart.
  for (const path of ['/health/ready', '/health/serving']) {
    app.get(path, { schema: readySchema }, async (_request, reply) => sendReadiness(reply));
  }

  app.get('/status', { schema: { response: { 200: StatusAnswer } } }, async () => view.status());
};
