import { NOTICE_KINDS } from '@tandem/core';
import { type Static, type TSchema, Type } from 'typebox';

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
