import type { EndpointAddress, EndpointChoice } from './profile.ts';

/**
 * Answers what a client's DNS look-up would be answered. It stands between the monitor and the
 * proxy because of the TTL: a real client keeps the answer it got for that long.
 */
export interface EndpointResolver {
  /** Never throws and never waits; the client is known by its address without a port. */
  resolve(clientAddress: string): EndpointChoice<EndpointAddress>;
}

export interface ResolverOptions {
  /** What a look-up would be answered at this moment. */
  readonly currentChoice: () => EndpointChoice<EndpointAddress>;
  readonly ttlMs: number;
  /** Counts milliseconds, of which only differences matter. */
  readonly now: () => number;
}

/** A resolver that remembers for each client, as long as the TTL says, what it was answered. */
export function createResolver({ currentChoice, ttlMs, now }: ResolverOptions): EndpointResolver {
  let cache = EMPTY_CACHE;
  return {
    resolve(client) {
      const outcome = lookUp(cache, { client, ttlMs, nowMs: now(), choice: currentChoice() });
      cache = outcome.cache;
      return outcome.choice;
    },
  };
}

// What the clients' resolvers remember of the profile's DNS name. Traffic Manager answers names and
// sees no request: whoever got an answer uses it until its TTL is over, also when the endpoint has
// been degraded or disabled since (traffic-manager-monitoring.md, "Endpoint failover and recovery",
// steps 7 and 8). Pure: times are passed in.
interface Answer {
  readonly choice: EndpointChoice<EndpointAddress>;
  readonly expiresMs: number;
}

/** Holds answers by client, the oldest first. */
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

/** Returns the answer that the client acts on: the one it remembers, else the present one. */
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
