import { type Static, Type } from 'typebox';

export const LiveAnswer = Type.Object({
  status: Type.Enum(['live', 'stalled']),
  region: Type.String(),
  loops: Type.Array(Type.String(), { description: 'Those that hang; else empty.' }),
});

export const ReadyAnswer = Type.Object({
  status: Type.Enum(['ready', 'not-ready']),
  region: Type.String(),
  reasons: Type.Array(
    Type.Object({
      kind: Type.Enum(['opening', 'stopping', 'loop-not-through']),
      loop: Type.Optional(Type.String({ description: 'The loop that has not succeeded yet.' })),
    }),
  ),
});

export type LiveAnswer = Static<typeof LiveAnswer>;
export type ReadyAnswer = Static<typeof ReadyAnswer>;
