import { describe, expect, it } from 'vitest';
import type { EndpointState, EndpointStateKind } from './endpoint-state.ts';
import { chooseEndpoint } from './profile.ts';

const stateOf = (kind: EndpointStateKind): EndpointState =>
  kind === 'disabled' ? { kind } : { kind, consecutiveFailures: 0 };

describe('the endpoint that gets traffic', () => {
  const cases: readonly (readonly [EndpointStateKind[], string, number | undefined])[] = [
    [['online', 'online'], 'online', 0],
    [['checking', 'online'], 'online', 0],
    [['degraded', 'online'], 'online', 1],
    [['degraded', 'checking'], 'online', 1],
    [['disabled', 'online'], 'online', 1],
    [['degraded', 'disabled', 'online'], 'online', 2],
    [['degraded', 'degraded'], 'all-degraded', 0],
    [['disabled', 'degraded'], 'all-degraded', 1],
    [['degraded', 'disabled'], 'all-degraded', 0],
    [['disabled', 'disabled'], 'none-enabled', undefined],
    [[], 'none-enabled', undefined],
  ];

  it.each(cases)('of %j is chosen as %s: number %s', (kinds, decision, index) => {
    const endpoints = kinds.map((kind) => ({ state: stateOf(kind) }));
    const choice = chooseEndpoint(endpoints);
    expect(choice.kind).toBe(decision);
    const chosen = choice.kind === 'none-enabled' ? undefined : endpoints.indexOf(choice.endpoint);
    expect(chosen).toBe(index);
  });
});
