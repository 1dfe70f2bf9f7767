import { describe, expect, it } from 'vitest';
import {
  createProfile,
  type ProbeOutcome,
  type ProfileEndpoint,
  type Transition,
} from './profile.ts';
import { createProfileMonitor } from './profile-monitor.ts';

const HEALTHY: ProbeOutcome = { ok: true, status: 200, durationMs: 1 };

interface Pending {
  readonly name: string;
  readonly signal: AbortSignal;
  readonly settle: (outcome: ProbeOutcome) => void;
}

/** A monitor whose probes and sleeps end when the test says so. */
function createHarness() {
  const probes: Pending[] = [];
  const sleeps: { readonly durationMs: number; readonly wake: () => void }[] = [];
  const transitions: Transition[] = [];
  const monitor = createProfileMonitor({
    profile: createProfile(
      [
        { name: 'east', url: 'http://east' },
        { name: 'west', url: 'http://west' },
      ],
      0,
    ),
    intervalMs: 10_000,
    probe: ({ name }: ProfileEndpoint, signal) => {
      const { promise, resolve } = Promise.withResolvers<ProbeOutcome>();
      probes.push({ name, signal, settle: resolve });
      return promise;
    },
    now: () => 7,
    sleep: (durationMs, signal) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      signal.addEventListener('abort', () => resolve());
      sleeps.push({ durationMs, wake: resolve });
      return promise;
    },
    onTransition: (transition) => transitions.push(transition),
  });
  const probesOf = (name: string): Pending[] => probes.filter((probe) => probe.name === name);
  return { monitor, probesOf, sleeps, transitions };
}

/** Lets every promise that can settle do so. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the monitor', () => {
  it('has one probe of an endpoint under way, and sleeps for the rest of the interval', async () => {
    const { monitor, probesOf, sleeps } = createHarness();
    monitor.start();
    await settled();
    expect(probesOf('east')).toHaveLength(1);
    probesOf('east')[0]?.settle({ ...HEALTHY, durationMs: 400 });
    await settled();
    expect(sleeps).toMatchObject([{ durationMs: 9600 }]);
    expect(probesOf('east')).toHaveLength(1);
    sleeps[0]?.wake();
    await settled();
    expect(probesOf('east')).toHaveLength(2);
  });

  it('forgets the probe that was under way when the endpoint was disabled', async () => {
    const { monitor, probesOf, transitions } = createHarness();
    monitor.start();
    expect(monitor.setEnabled('east', false)).toBe(true);
    expect(monitor.setEnabled('east', true)).toBe(true);
    const [stale, fresh] = probesOf('east');
    expect(stale?.signal.aborted).toBe(true);
    stale?.settle({ ok: false, error: 'aborted', durationMs: 1 });
    await settled();
    expect(transitions.map(({ to }) => to)).toEqual(['disabled', 'checking']);
    fresh?.settle(HEALTHY);
    await settled();
    expect(transitions.at(-1)).toEqual({
      at: 7,
      endpoint: 'east',
      from: 'checking',
      to: 'online',
      current: 'east',
    });
  });

  it('does not probe twice at once when an enabled endpoint is enabled', () => {
    const { monitor, probesOf, transitions } = createHarness();
    monitor.start();
    monitor.setEnabled('east', true);
    expect(probesOf('east')).toHaveLength(1);
    expect(transitions).toEqual([]);
  });

  it('does not probe an endpoint that was disabled before the start', () => {
    const { monitor, probesOf } = createHarness();
    monitor.setEnabled('east', false);
    monitor.start();
    expect(probesOf('east')).toHaveLength(0);
    expect(probesOf('west')).toHaveLength(1);
  });

  it('says so when there is no endpoint of the name', () => {
    expect(createHarness().monitor.setEnabled('north', false)).toBe(false);
  });

  it('is over once the last probe is', async () => {
    const { monitor, probesOf } = createHarness();
    monitor.start();
    const stopped = monitor.stop();
    for (const { signal, settle } of [...probesOf('east'), ...probesOf('west')]) {
      expect(signal.aborted).toBe(true);
      settle(HEALTHY);
    }
    await stopped;
    expect(monitor.profile().transitions).toEqual([]);
  });
});
