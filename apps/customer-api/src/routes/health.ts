import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type ProcessReadiness, readinessAnswerOf } from '@tandem/region';
import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';
import { ANYONE } from '../plugins/auth.ts';
import { jsonResponse, problemResponses } from './schema-parts.ts';

export interface HealthRoutesOptions {
  readonly region: string;
  /** Never throws, and answers within the time that a probe waits. */
  readonly readiness: () => Promise<ProcessReadiness>;
  /** Tells the readiness of this process alone. */
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
    const answer = readinessAnswerOf(region, readiness);
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

const NO_STORE = { 'cache-control': { type: 'string', enum: ['no-store'] } } as const;
const tags = ['health'];

export const LiveAnswer = Type.Object(
  { status: Type.Literal('live'), region: Type.String() },
  { $id: 'Live', examples: [{ status: 'live', region: 'east' }] },
);

const ReasonAnswer = Type.Object({
  kind: Type.String({
    enum: [
      'starting',
      'stopping',
      'store-not-answering',
      'replicator-not-heard',
      'held',
      'out-for-drill',
      'behind',
    ],
  }),
  peer: Type.Optional(Type.String({ description: 'The region that this one is behind.' })),
  lagMs: Type.Optional(Type.Integer({ description: 'Absent when the peer was never heard.' })),
  ageMs: Type.Optional(Type.Integer({ description: 'Since the replicator was last heard.' })),
  aheadMs: Type.Optional(
    Type.Integer({
      description:
        'Its heartbeat is of the future by so much: its clock is wrong, or the one here.',
    }),
  ),
  why: Type.Optional(Type.String({ description: 'Why the region is held.' })),
  untilMs: Type.Optional(
    Type.Integer({ description: 'When the drill ends by itself, in ms since the epoch.' }),
  ),
});

/** One answer for both states, so that a reader needs no more than `status`. */
export const ReadyAnswer = Type.Object(
  {
    status: Type.String({ enum: ['ready', 'not-ready'] }),
    region: Type.String(),
    reasons: Type.Array(ReasonAnswer, { description: 'Why it is not ready; else empty.' }),
    notes: Type.Array(Type.String(), {
      description: 'Which peers were let through, or are damaged, and why.',
    }),
  },
  {
    $id: 'Ready',
    examples: [
      {
        status: 'not-ready',
        region: 'west',
        reasons: [{ kind: 'behind', peer: 'east', lagMs: 48_210 }],
        notes: [],
      },
    ],
  },
);

const liveSchema = {
  operationId: 'getLiveness',
  security: ANYONE,
  summary: 'Whether the process runs',
  description: 'It says nothing about the region: restart the process when it does not answer.',
  tags,
  response: {
    ...problemResponses([]),
    200: jsonResponse('Live', { description: 'It runs.', headers: NO_STORE }),
  },
};

const readyResponse = {
  ...problemResponses([]),
  200: jsonResponse('Ready', {
    description: 'The region may take traffic.',
    headers: NO_STORE,
  }),
  503: jsonResponse('Ready', {
    description: 'The region must not take traffic: `reasons` says why.',
    headers: NO_STORE,
  }),
};

const readySchema = {
  operationId: 'getReadiness',
  security: ANYONE,
  summary: 'Whether the region may take traffic',
  description:
    'A region is ready when its table answers and it has caught up with every region that can ' +
    'be reached.',
  tags,
  response: readyResponse,
};

const servingSchema = {
  operationId: 'getServing',
  security: ANYONE,
  summary: 'Whether this process serves, for the load balancer of its own region',
  description: 'Unlike /health/ready it does not ask whether the region has caught up.',
  tags,
  response: {
    ...readyResponse,
    200: jsonResponse('Ready', { description: 'It serves.', headers: NO_STORE }),
  },
};

const healthSchema = {
  operationId: 'getHealth',
  security: ANYONE,
  summary: 'The same as /health/ready, for probes with a fixed path',
  description: 'Some balancers and container platforms ask nothing else.',
  tags,
  response: readyResponse,
};
