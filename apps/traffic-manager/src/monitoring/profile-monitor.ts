// The one place that holds a profile and changes it: probes every enabled endpoint on its own
// schedule and feeds the outcomes to the pure state machine.

import { type LookupAddress, lookup } from 'node:dns';
import { request } from 'node:http';
import type { LookupFunction } from 'node:net';
import {
  chooseEndpoint,
  type EndpointChoice,
  evolveProfile,
  type ProbeOutcome,
  type Profile,
  type ProfileEndpoint,
  type ProfileEvent,
  type Transition,
} from './profile.ts';

export interface ProfileMonitorOptions {
  readonly profile: Profile;
  readonly intervalMs: number;
  readonly probe: (endpoint: ProfileEndpoint, signal: AbortSignal) => Promise<ProbeOutcome>;
  /** Counts milliseconds since the epoch. */
  readonly now: () => number;
  /** Resolves after the time or as soon as the signal aborts; never rejects. */
  readonly sleep: (durationMs: number, signal: AbortSignal) => Promise<void>;
  readonly onTransition: (transition: Transition) => void;
}

export interface ProfileMonitor {
  profile(): Profile;
  choice(): EndpointChoice<ProfileEndpoint>;
  /** Begins to probe; the first probe of every enabled endpoint starts at once. */
  start(): void;
  /** Ends all probes and resolves when the last one is over. Not to be started again. */
  stop(): Promise<void>;
  /** False when there is no endpoint of that name. Enabling or disabling twice changes nothing. */
  setEnabled(name: string, enabled: boolean): boolean;
}

export function createProfileMonitor(options: ProfileMonitorOptions): ProfileMonitor {
  let profile = options.profile;
  let started = false;
  const watches = new Map<string, { abort: AbortController; done: Promise<void> }>();

  const apply = (event: ProfileEvent): void => {
    const before = profile.transitions;
    profile = evolveProfile(profile, event);
    const latest = profile.transitions.at(-1);
    if (profile.transitions !== before && latest !== undefined) options.onTransition(latest);
  };

  const watch = async (endpoint: ProfileEndpoint, signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      const outcome = await options.probe(endpoint, signal);
      if (signal.aborted) return;
      apply({ kind: 'probed', endpoint: endpoint.name, at: options.now(), outcome });
      await options.sleep(nextProbeDelayMs(outcome.durationMs, options.intervalMs), signal);
    }
  };

  const startWatch = (endpoint: ProfileEndpoint): void => {
    const abort = new AbortController();
    watches.set(endpoint.name, { abort, done: watch(endpoint, abort.signal) });
  };

  const stopWatch = async (name: string): Promise<void> => {
    const running = watches.get(name);
    watches.delete(name);
    running?.abort.abort();
    await running?.done;
  };

  return {
    profile: () => profile,
    choice: () => chooseEndpoint(profile.endpoints),
    start: () => {
      started = true;
      for (const endpoint of profile.endpoints) {
        if (endpoint.state.kind !== 'disabled') startWatch(endpoint);
      }
    },
    stop: async () => {
      started = false;
      await Promise.all([...watches.keys()].map(stopWatch));
    },
    setEnabled: (name, enabled) => {
      const endpoint = profile.endpoints.find((candidate) => candidate.name === name);
      if (endpoint === undefined) return false;
      apply({ kind: enabled ? 'enable' : 'disable', endpoint: name, at: options.now() });
      if (!enabled) void stopWatch(name);
      else if (started && !watches.has(name)) startWatch(endpoint);
      return true;
    },
  };
}

/**
 * How long to wait before the next probe of an endpoint, in milliseconds. Probes start at the
 * interval, measured from start to start; one that outlasts it delays the next, so that an
 * endpoint never has two probes under way.
 */
export function nextProbeDelayMs(probeDurationMs: number, intervalMs: number): number {
  return Math.max(0, intervalMs - probeDurationMs);
}

export interface ProbeRequest {
  readonly url: string;
  readonly timeoutMs: number;
  readonly lookup: LookupFunction;
  /** Gives the probe up at once; its outcome then means nothing. */
  readonly signal: AbortSignal;
}

const HEALTHY_STATUS = 200;

/**
 * Probes once. 200 is healthy; any other status (a redirect is not followed), a time-out and a
 * failed connection are not. Never throws. Each probe opens a connection of its own, as those of
 * Traffic Manager do: a process that accepts none any more must not look healthy over an old one.
 */
export async function probeEndpoint(probe: ProbeRequest): Promise<ProbeOutcome> {
  const startedAt = performance.now();
  const timeout = AbortSignal.timeout(probe.timeoutMs);
  const result = await getStatus(probe, AbortSignal.any([timeout, probe.signal])).then(
    (status) => ({ ok: status === HEALTHY_STATUS, status }),
    (error: unknown) => ({
      ok: false as const,
      error: timeout.aborted ? `no answer within ${probe.timeoutMs} ms` : describe(error),
    }),
  );
  return { ...result, durationMs: Math.round(performance.now() - startedAt) };
}

async function getStatus({ url, lookup }: ProbeRequest, signal: AbortSignal): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const outgoing = request(url, { agent: false, lookup, signal }, (response) => {
    // The status decides. The body is read away until the time-out so that the endpoint can finish.
    response.on('error', reject);
    response.resume();
    resolve(response.statusCode ?? 0);
  });
  outgoing.on('error', reject);
  outgoing.end();
  return promise;
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  return error.message === '' ? code : `${code}: ${error.message}`;
}

// Looks up the endpoints' names. The operating system answers few questions at once: Node gives it four
// threads. A name that is gone is answered late, and were every request to a dead endpoint to ask for
// it, the probes of the living ones would wait behind them until their time-outs.
type Outcome =
  | { readonly kind: 'found'; readonly addresses: readonly LookupAddress[] }
  | { readonly kind: 'failed'; readonly error: NodeJS.ErrnoException };

/** Resolves to all addresses of a name, at least one; never rejects. */
export type ResolveName = (hostname: string) => Promise<Outcome>;

const askSystem: ResolveName = async (hostname) => {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  lookup(hostname, { all: true }, (error, addresses) =>
    resolve(error === null ? { kind: 'found', addresses } : { kind: 'failed', error }),
  );
  return promise;
};

/**
 * A look-up that asks for each name one question at a time: who asks while one is under way shares its
 * outcome, a failure too. Nothing is remembered beyond that, so a name that comes back is found.
 */
export function createSharedLookup(resolveName: ResolveName = askSystem): LookupFunction {
  const asking = new Map<string, Promise<Outcome>>();
  const ask = (hostname: string): Promise<Outcome> => {
    const underWay = asking.get(hostname);
    if (underWay !== undefined) return underWay;
    const asked = resolveName(hostname).finally(() => asking.delete(hostname));
    asking.set(hostname, asked);
    return asked;
  };
  return (hostname, { all }, answer) => {
    void ask(hostname).then((outcome) => {
      if (outcome.kind === 'failed') return answer(outcome.error, []);
      const [first] = outcome.addresses;
      return all === true || first === undefined
        ? answer(null, [...outcome.addresses])
        : answer(null, first.address, first.family);
    });
  };
}
