import type { EndpointState } from './endpoint-state.ts';

export type EndpointChoice<E> =
  | { readonly kind: 'online'; readonly endpoint: E }
  /** Every enabled endpoint is degraded, so all are treated as if they were online. */
  | { readonly kind: 'all-degraded'; readonly endpoint: E }
  | { readonly kind: 'none-enabled' };

/** Chooses the endpoint that gets traffic in priority mode; `endpoints` come in priority order. */
export function chooseEndpoint<E extends { readonly state: EndpointState }>(
  endpoints: readonly E[],
): EndpointChoice<E> {
  const enabled = endpoints.filter(({ state }) => state.kind !== 'disabled');
  const healthy = enabled.find(({ state }) => state.kind !== 'degraded');
  if (healthy !== undefined) return { kind: 'online', endpoint: healthy };
  const [first] = enabled;
  return first === undefined ? { kind: 'none-enabled' } : { kind: 'all-degraded', endpoint: first };
}
