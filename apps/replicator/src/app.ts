import { readFileSync } from 'node:fs';
import { type JudgeRequest, NEWEST_WIRE_VERSION, NOTICE_KINDS } from '@tandem/core';
import type { ReplicatorView } from '@tandem/region';
import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyPluginAsync,
  type FastifyReply,
  fastify,
  LogController,
} from 'fastify';
import { type Static, type TSchema, Type } from 'typebox';

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

interface HealthRoutesOptions {
  readonly region: string;
  readonly view: ReplicatorView;
}

const healthRoutes: FastifyPluginAsync<HealthRoutesOptions> = async (app, { region, view }) => {
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

  app.get('/status', { schema: { response: { 200: StatusAnswer } } }, async () => ({
    ...view.status(),
    build: BUILD,
  }));
};

const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
/** What runs here, for who watches an upgrade: read once, since files may be replaced under a process. */
const BUILD = {
  version: (JSON.parse(manifest) as { readonly version: string }).version,
  wireVersionMax: NEWEST_WIRE_VERSION,
};

const LiveAnswer = Type.Object({
  status: Type.Enum(['live', 'stalled']),
  region: Type.String(),
  loops: Type.Array(Type.String(), { description: 'Those that hang; else empty.' }),
});

const ReadyAnswer = Type.Object({
  status: Type.Enum(['ready', 'not-ready']),
  region: Type.String(),
  reasons: Type.Array(
    Type.Object({
      kind: Type.Enum(['opening', 'stopping', 'loop-not-through']),
      loop: Type.Optional(Type.String({ description: 'The loop that has not succeeded yet.' })),
    }),
  ),
});

type LiveAnswer = Static<typeof LiveAnswer>;
type ReadyAnswer = Static<typeof ReadyAnswer>;

const nullable = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()]);

const TimeMs = Type.Integer({ description: 'Milliseconds since the epoch.' });
const DurationMs = Type.Integer({ description: 'Milliseconds.' });
const Count = Type.Integer();

/** What is not known is null. */
const StatusAnswer = Type.Object({
  region: Type.String(),
  phase: Type.Enum(['opening', 'running', 'stopping']),
  peers: Type.Array(
    Type.Object({
      peer: Type.String(),
      reachable: Type.Boolean({ description: 'Its queue accepted the last that was sent.' }),
      passedMs: nullable(TimeMs),
      lagMs: nullable(DurationMs),
      outboxAgeMs: nullable(DurationMs),
    }),
  ),
  backlog: nullable(Type.Boolean()),
  catchingUpSinceMs: nullable(TimeMs),
  heartbeatMs: nullable(TimeMs),
  queue: Type.Object({
    reachable: nullable(Type.Boolean()),
    oldestMessageAgeMs: nullable(DurationMs),
    deadLetterCount: nullable(Type.Integer({ description: 'Counting stops at 1,000.' })),
  }),
  loops: Type.Array(
    Type.Object({
      name: Type.String(),
      running: Type.Boolean(),
      lastSuccessMs: nullable(TimeMs),
      lastFailureMs: nullable(TimeMs),
      lastErrorCode: nullable(Type.String()),
      failureCount: Count,
      consecutiveFailureCount: Count,
    }),
  ),
  notices: Type.Array(
    Type.Object({
      kind: Type.Enum([...NOTICE_KINDS]),
      subject: Type.String(),
      detail: Type.String(),
      count: Count,
      sinceMs: TimeMs,
      lastMs: TimeMs,
    }),
    { description: 'What was met lately and an operator has to see to.' },
  ),
  copies: Type.Array(
    Type.Object({
      table: Type.String(),
      read: Count,
      written: Count,
      refused: Count,
      stray: Count,
      rowsPerSecond: nullable(Count),
      leftMs: nullable(Count),
      troubleCode: nullable(Type.String()),
    }),
    { description: 'How far the copies of old tables are that are taken over here.' },
  ),
  mirrors: Type.Array(
    Type.Object({
      table: Type.String(),
      lagMs: nullable(Count),
      rows: Count,
      refused: Count,
      troubleCode: nullable(Type.String()),
    }),
    { description: 'How far the mirrors of tables are that are kept here.' },
  ),
  sinceStart: Type.Object({
    conflicts: Count,
    relayed: Count,
    deadLettered: Count,
    refused: Type.Record(Type.String(), Count, { description: 'Dead-lettered, by reason.' }),
    received: Count,
    trimmed: Type.Record(Type.String(), Count, {
      description: 'Rows that were older than is kept, by table.',
    }),
    purged: Type.Integer({ minimum: 0, description: 'Rows of deleted tables that are gone.' }),
    copied: Type.Integer({ minimum: 0, description: 'Rows of old tables that were copied here.' }),
  }),
  build: Type.Object({
    version: Type.String(),
    wireVersionMax: Type.Integer({ description: 'The newest messages that it reads.' }),
  }),
});
