import { failOverBounds } from '@tandem/core';
import { type Static, Type } from 'typebox';
import { chooseEndpoint } from '../monitoring/choose-endpoint.ts';
import { countFailures } from '../monitoring/endpoint-state.ts';
import { nameChosen, type Profile, type ProfileEndpoint } from '../monitoring/profile.ts';

const stateSchema = Type.String({ enum: ['checking', 'online', 'degraded', 'disabled'] });
const timeSchema = Type.String({ description: 'ISO 8601, UTC' });

export const endpointStatusSchema = Type.Object({
  name: Type.String(),
  url: Type.String(),
  priority: Type.Integer(),
  enabled: Type.Boolean(),
  state: stateSchema,
  consecutiveFailures: Type.Integer(),
  lastProbe: Type.Optional(
    Type.Object({
      at: timeSchema,
      ok: Type.Boolean(),
      status: Type.Optional(Type.Integer()),
      error: Type.Optional(Type.String()),
      durationMs: Type.Integer(),
    }),
  ),
});

export const statusSchema = Type.Object({
  current: Type.Union([Type.String(), Type.Null()]),
  decision: Type.String({ enum: ['online', 'all-degraded', 'none-enabled'] }),
  probing: Type.Object({
    intervalMs: Type.Integer(),
    timeoutMs: Type.Integer(),
    toleratedFailures: Type.Integer(),
    path: Type.String(),
    ttlMs: Type.Integer(),
  }),
  failOver: Type.Object({
    formulaMs: Type.Integer({ description: 'TTL + tolerated failures x interval' }),
    worstMs: Type.Integer({ description: 'the formula, one interval and one time-out' }),
  }),
  endpoints: Type.Array(endpointStatusSchema),
  transitions: Type.Array(
    Type.Object({
      at: timeSchema,
      endpoint: Type.String(),
      from: stateSchema,
      to: stateSchema,
      current: Type.Union([Type.String(), Type.Null()]),
    }),
  ),
});

type TrafficManagerStatus = Static<typeof statusSchema>;
type EndpointStatus = Static<typeof endpointStatusSchema>;

export function describeProfile(
  profile: Profile,
  probing: TrafficManagerStatus['probing'],
): TrafficManagerStatus {
  const choice = chooseEndpoint(profile.endpoints);
  const { formulaMs, worstMs } = failOverBounds(probing);
  return {
    current: nameChosen(choice),
    decision: choice.kind,
    probing,
    failOver: { formulaMs, worstMs },
    endpoints: profile.endpoints.map(describeEndpoint),
    transitions: profile.transitions.map(({ at, ...rest }) => ({ at: iso(at), ...rest })),
  };
}

export function describeEndpoint(endpoint: ProfileEndpoint): EndpointStatus {
  const { name, url, priority, state, lastProbe } = endpoint;
  return {
    name,
    url,
    priority,
    enabled: state.kind !== 'disabled',
    state: state.kind,
    consecutiveFailures: countFailures(state),
    ...(lastProbe && { lastProbe: { at: iso(lastProbe.at), ...lastProbe.outcome } }),
  };
}

function iso(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
