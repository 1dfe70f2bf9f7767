import {
  AppError,
  believedMs,
  believedPeer,
  type Heartbeat,
  NOTICE_KINDS,
  type Notice,
  type PeerLink,
} from '@tandem/core';
import type { FastifyPluginAsync, FastifyReply } from 'fastify';
import { type Static, type TSchema, Type } from 'typebox';
import type { DutyHealth } from '../duties/run-duties.ts';
import type { Liveness, ProcessPhase, ProcessReadiness } from '../health/decide-health.ts';
import type { ActivityCounts } from '../observe/activity.ts';
import type { QueueView } from '../observe/observed-ports.ts';

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
export const StatusAnswer = Type.Object({
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
  sinceStart: Type.Object({
    conflicts: Count,
    relayed: Count,
    deadLettered: Count,
    refused: Type.Record(Type.String(), Count, { description: 'Dead-lettered, by reason.' }),
    received: Count,
  }),
});

export type StatusAnswer = Static<typeof StatusAnswer>;

/** All from memory, and each with what it is known from: nothing is asked for an answer. */
export interface StatusInput {
  readonly nowMs: number;
  readonly region: string;
  readonly phase: ProcessPhase;
  readonly links: readonly Pick<PeerLink, 'peer' | 'isReachable'>[];
  readonly lastBeat: Heartbeat | undefined;
  /** From when on something may be owed to the peer; not known where another process sweeps. */
  readonly owedToSinceMs: (peer: string) => number | undefined;
  readonly queue: QueueView | undefined;
  readonly duties: readonly DutyHealth[];
  readonly counts: ActivityCounts;
  readonly notices: readonly Notice[];
  readonly driftMsMax?: number | undefined;
}

/** What is not known is null, and never a figure that flatters (I11). */
export function describeStatus(input: StatusInput): StatusAnswer {
  const { nowMs, region, phase, lastBeat, queue, counts } = input;
  return {
    region,
    phase,
    peers: input.links.map((link) => {
      // Judged again: the clock may have been set since.
      const own = { nowMs, driftMsMax: input.driftMsMax };
      const told = lastBeat?.peers.find(({ peer }) => peer === link.peer);
      const believed = told && believedPeer(told, own);
      const passedMs = believed?.passedMs ?? null;
      const owedSinceMs = believedMs(input.owedToSinceMs(link.peer), own);
      return {
        peer: link.peer,
        reachable: link.isReachable(),
        passedMs,
        lagMs: passedMs === null ? null : nowMs - passedMs,
        outboxAgeMs: owedSinceMs === undefined ? null : nowMs - owedSinceMs,
      };
    }),
    backlog: queue?.isReachable === true ? (lastBeat?.hasBacklog ?? null) : null,
    catchingUpSinceMs: lastBeat?.catchingUpSinceMs ?? null,
    heartbeatMs: lastBeat?.nowMs ?? null,
    queue: {
      reachable: queue?.isReachable ?? null,
      oldestMessageAgeMs:
        queue?.oldestEnqueuedMs === undefined ? null : Math.max(0, nowMs - queue.oldestEnqueuedMs),
      deadLetterCount: queue?.deadLetters ?? null,
    },
    loops: input.duties.map(describeLoop),
    notices: [...input.notices],
    sinceStart: counts,
  };
}

function describeLoop(health: DutyHealth): StatusAnswer['loops'][number] {
  const { lastError } = health;
  return {
    name: health.duty.name,
    running: health.isRunning,
    lastSuccessMs: health.lastSuccessMs ?? null,
    lastFailureMs: health.lastFailureMs ?? null,
    // The code alone: a message may name what does not belong on an open port.
    lastErrorCode:
      lastError === undefined
        ? null
        : lastError instanceof AppError
          ? lastError.code
          : 'UNEXPECTED',
    failureCount: health.failureCount,
    consecutiveFailureCount: health.consecutiveFailureCount,
  };
}
