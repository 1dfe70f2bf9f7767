// What the clients' resolvers remember of the profile's DNS name. Traffic Manager answers names and
// sees no request: whoever got an answer uses it until its TTL is over, also when the endpoint has
// been degraded or disabled since (traffic-manager-monitoring.md, "Endpoint failover and recovery",
// steps 7 and 8). Pure: times are passed in.
import type { EndpointChoice } from './choose-endpoint.ts';
import type { EndpointAddress } from './profile.ts';

interface Answer {
  readonly choice: EndpointChoice<EndpointAddress>;
  readonly expiresMs: number;
}

/** By client, oldest answer first. */
export type AnswerCache = ReadonlyMap<string, Answer>;

export const EMPTY_CACHE: AnswerCache = new Map();
/** Beyond it the client that asked the longest ago is forgotten, and asks anew. */
export const CLIENTS_REMEMBERED_MAX = 1_000;

interface LookUp {
  readonly client: string;
  readonly nowMs: number;
  readonly ttlMs: number;
  /** What a look-up at this moment would be answered. */
  readonly choice: EndpointChoice<EndpointAddress>;
}

/** The answer that the client acts on: the one it remembers, else the present one. */
export function lookUp(
  cache: AnswerCache,
  { client, nowMs, ttlMs, choice }: LookUp,
): { readonly choice: EndpointChoice<EndpointAddress>; readonly cache: AnswerCache } {
  const known = cache.get(client);
  if (known !== undefined && nowMs < known.expiresMs) return { choice: known.choice, cache };
  // Without an endpoint there is no address in the answer, so there is nothing to remember.
  if (ttlMs === 0 || choice.kind === 'none-enabled')
    return { choice, cache: without(cache, client) };
  const next = new Map(without(cache, client));
  next.set(client, { choice, expiresMs: nowMs + ttlMs });
  const [oldest] = next.keys();
  if (next.size > CLIENTS_REMEMBERED_MAX && oldest !== undefined) next.delete(oldest);
  return { choice, cache: next };
}

function without(cache: AnswerCache, client: string): AnswerCache {
  if (!cache.has(client)) return cache;
  return new Map([...cache].filter(([name]) => name !== client));
}
