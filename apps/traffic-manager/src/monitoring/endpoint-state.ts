// What Traffic Manager believes of one endpoint. The words are its own, in lower case:
// CheckingEndpoint, Online, Degraded, Disabled. Pure: no clock, no sockets.

export type EndpointState =
  /** Enabled, and no probe has settled yet what it is: it takes traffic like an online one. */
  | { readonly kind: 'checking'; readonly consecutiveFailures: number }
  | { readonly kind: 'online'; readonly consecutiveFailures: number }
  | { readonly kind: 'degraded'; readonly consecutiveFailures: number }
  | { readonly kind: 'disabled' };

export type EndpointStateKind = EndpointState['kind'];

export type EndpointEvent = 'probe-succeeded' | 'probe-failed' | 'enable' | 'disable';

type Cell = (failures: number, toleratedFailures: number) => EndpointState;

const checkAnew: Cell = () => ({ kind: 'checking', consecutiveFailures: 0 });
const goOnline: Cell = () => ({ kind: 'online', consecutiveFailures: 0 });
const staysDisabled: Cell = () => ({ kind: 'disabled' });

/** An endpoint may fail as often as is tolerated; the failure after that degrades it. */
const failAs =
  (kind: 'checking' | 'online'): Cell =>
  (failures, toleratedFailures) => {
    const consecutiveFailures = failures + 1;
    return consecutiveFailures > toleratedFailures
      ? { kind: 'degraded', consecutiveFailures }
      : { kind, consecutiveFailures };
  };

const keep =
  (kind: 'checking' | 'online' | 'degraded'): Cell =>
  (failures) => ({ kind, consecutiveFailures: failures });

const TRANSITIONS: Record<EndpointStateKind, Record<EndpointEvent, Cell>> = {
  checking: {
    'probe-succeeded': goOnline,
    'probe-failed': failAs('checking'),
    enable: keep('checking'),
    disable: staysDisabled,
  },
  online: {
    'probe-succeeded': goOnline,
    'probe-failed': failAs('online'),
    enable: keep('online'),
    disable: staysDisabled,
  },
  degraded: {
    // One healthy probe is enough to take traffic back: nothing here waits for data to catch up.
    'probe-succeeded': goOnline,
    'probe-failed': (failures) => ({ kind: 'degraded', consecutiveFailures: failures + 1 }),
    enable: keep('degraded'),
    disable: staysDisabled,
  },
  disabled: {
    // A probe that was under way when the endpoint was disabled says nothing any more.
    'probe-succeeded': staysDisabled,
    'probe-failed': staysDisabled,
    enable: checkAnew,
    disable: staysDisabled,
  },
};

/** The state of an endpoint that was just added. */
export const INITIAL_ENDPOINT_STATE: EndpointState = checkAnew(0, 0);

/** Failed probes in a row; 0 for an endpoint that is not probed. */
export function countFailures(state: EndpointState): number {
  return state.kind === 'disabled' ? 0 : state.consecutiveFailures;
}

/** Advances one endpoint by one event. Total: every state has an answer to every event. */
export function advanceEndpoint(
  state: EndpointState,
  event: EndpointEvent,
  toleratedFailures: number,
): EndpointState {
  return TRANSITIONS[state.kind][event](countFailures(state), toleratedFailures);
}
