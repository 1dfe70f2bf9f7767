// A Traffic Manager profile in priority mode: its endpoints, what the probes said of them, and
// which of them gets traffic. Pure: times (epoch milliseconds) are passed in.
import {
  advanceEndpoint,
  type EndpointEvent,
  type EndpointState,
  type EndpointStateKind,
  INITIAL_ENDPOINT_STATE,
} from './endpoint-state.ts';

export const TRANSITIONS_KEPT_MAX = 50;

export type ProbeOutcome = { readonly durationMs: number } & (
  | { readonly ok: boolean; readonly status: number }
  | { readonly ok: false; readonly error: string }
);

export interface EndpointAddress {
  readonly name: string;
  /** Has scheme, host and port, and no trailing slash. */
  readonly url: string;
}

export interface ProfileEndpoint extends EndpointAddress {
  /** 1 is preferred to 2. */
  readonly priority: number;
  readonly state: EndpointState;
  readonly lastProbe?: { readonly at: number; readonly outcome: ProbeOutcome };
}

export interface Transition {
  readonly at: number;
  readonly endpoint: string;
  readonly from: EndpointStateKind;
  readonly to: EndpointStateKind;
  /** The endpoint that gets traffic from then on; null when none is enabled. */
  readonly current: string | null;
}

export interface Profile {
  readonly toleratedFailures: number;
  /** Stand in priority order. */
  readonly endpoints: readonly ProfileEndpoint[];
  /** Keep the last TRANSITIONS_KEPT_MAX, oldest first. */
  readonly transitions: readonly Transition[];
}

export type ProfileEvent = { readonly endpoint: string; readonly at: number } & (
  | { readonly kind: 'probed'; readonly outcome: ProbeOutcome }
  | { readonly kind: 'enable' | 'disable' }
);

export function createProfile(
  endpoints: readonly EndpointAddress[],
  toleratedFailures: number,
): Profile {
  return {
    toleratedFailures,
    endpoints: endpoints.map(({ name, url }, index) => ({
      name,
      url,
      priority: index + 1,
      state: INITIAL_ENDPOINT_STATE,
    })),
    transitions: [],
  };
}

/** The name of the endpoint that gets traffic; null when none is enabled. */
export function nameChosen(choice: EndpointChoice<EndpointAddress>): string | null {
  return choice.kind === 'none-enabled' ? null : choice.endpoint.name;
}

/** Applies one event; an event of an endpoint that the profile does not have changes nothing. */
export function evolveProfile(profile: Profile, event: ProfileEvent): Profile {
  const before = profile.endpoints.find(({ name }) => name === event.endpoint);
  if (before === undefined) return profile;
  const after = evolveEndpoint(before, event, profile.toleratedFailures);
  const endpoints = profile.endpoints.map((endpoint) => (endpoint === before ? after : endpoint));
  if (after.state.kind === before.state.kind) return { ...profile, endpoints };
  const transition: Transition = {
    at: event.at,
    endpoint: event.endpoint,
    from: before.state.kind,
    to: after.state.kind,
    current: nameChosen(chooseEndpoint(endpoints)),
  };
  const transitions = [...profile.transitions, transition].slice(-TRANSITIONS_KEPT_MAX);
  return { ...profile, endpoints, transitions };
}

function evolveEndpoint(
  endpoint: ProfileEndpoint,
  event: ProfileEvent,
  toleratedFailures: number,
): ProfileEndpoint {
  const state = advanceEndpoint(endpoint.state, endpointEvent(event), toleratedFailures);
  return event.kind === 'probed' && state.kind !== 'disabled'
    ? { ...endpoint, state, lastProbe: { at: event.at, outcome: event.outcome } }
    : { ...endpoint, state };
}

function endpointEvent(event: ProfileEvent): EndpointEvent {
  if (event.kind !== 'probed') return event.kind;
  return event.outcome.ok ? 'probe-succeeded' : 'probe-failed';
}

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
