// The one place that holds a profile and changes it: probes every enabled endpoint on its own
// schedule and feeds the outcomes to the pure state machine.
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
