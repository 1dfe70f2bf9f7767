import type { EndpointChoice } from './choose-endpoint.ts';
import type { EndpointAddress } from './profile.ts';

/**
 * Answers what a client's DNS look-up would be answered. It stands between the monitor and the
 * proxy because of the TTL: a real client keeps the answer it got for that long, so a resolver
 * that models it remembers the last choice of each client address. This port is its place.
 */
export interface EndpointResolver {
  /** Never throws and never waits; the client is known by its address without a port. */
  resolve(clientAddress: string): EndpointChoice<EndpointAddress>;
}

/** A resolver with a TTL of zero: every request sees the decision of this moment. */
export function createImmediateResolver(
  currentChoice: () => EndpointChoice<EndpointAddress>,
): EndpointResolver {
  return { resolve: () => currentChoice() };
}
