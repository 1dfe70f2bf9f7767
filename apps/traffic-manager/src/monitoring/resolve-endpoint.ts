import type { EndpointChoice } from './choose-endpoint.ts';
import { EMPTY_CACHE, lookUp } from './answer-cache.ts';
import type { EndpointAddress } from './profile.ts';

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
  /** Milliseconds; only differences count. */
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
