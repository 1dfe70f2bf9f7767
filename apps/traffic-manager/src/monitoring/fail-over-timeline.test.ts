// The timeline that Microsoft documents for Traffic Manager, replayed in virtual time through the
// state machine and the probe schedule: traffic-manager-monitoring.md, "Endpoint failover and
// recovery", and reliability-traffic-manager.md for the formula TTL + retries x interval.
import { failOverBounds } from '@tandem/core';
import { describe, expect, it } from 'vitest';
import { createProfile, evolveProfile, type Transition } from './profile.ts';
import { nextProbeDelayMs } from './profile-monitor.ts';
import { EMPTY_CACHE, lookUp } from './resolve-endpoint.ts';

const SECOND_MS = 1000;
const PROBES_MAX = 20;

interface Scenario {
  readonly intervalMs: number;
  readonly toleratedFailures: number;
  /** How long a probe of the dead endpoint takes to fail: the time-out, or 0 when it is refused. */
  readonly failureMs: number;
  readonly outage: { readonly fromMs: number; readonly toMs: number };
}

/** Probes east from time 0 on; west is always healthy. */
function replay(scenario: Scenario): readonly Transition[] {
  const { intervalMs, toleratedFailures, failureMs, outage } = scenario;
  let profile = createProfile(
    [
      { name: 'east', url: 'http://east' },
      { name: 'west', url: 'http://west' },
    ],
    toleratedFailures,
  );
  let startMs = 0;
  for (let count = 0; count < PROBES_MAX; count += 1) {
    const ok = startMs < outage.fromMs || startMs >= outage.toMs;
    const durationMs = ok ? 0 : failureMs;
    const outcome = ok
      ? { ok, status: 200, durationMs }
      : { ok: false as const, error: 'no answer', durationMs };
    profile = evolveProfile(profile, {
      kind: 'probed',
      endpoint: 'east',
      at: startMs + durationMs,
      outcome,
    });
    startMs += durationMs + nextProbeDelayMs(durationMs, intervalMs);
  }
  return profile.transitions;
}

/** When a client that asks all the time, and whose answer is as old as it says, last uses east. */
function lastUseOfEastMs(
  transitions: readonly Transition[],
  ttlMs: number,
  askedMs: number,
): number {
  let cache = EMPTY_CACHE;
  let lastMs = 0;
  for (let nowMs = askedMs; nowMs <= askedMs + ttlMs + SECOND_MS; nowMs += 1) {
    const current = transitions.findLast(({ at }) => at <= nowMs)?.current ?? 'east';
    const endpoint = { name: current, url: `http://${current}` };
    const answer = lookUp(cache, {
      client: 'a',
      nowMs,
      ttlMs,
      choice: { kind: 'online', endpoint },
    });
    ({ cache } = answer);
    if (answer.choice.kind === 'online' && answer.choice.endpoint.name === 'east') lastMs = nowMs;
  }
  return lastMs;
}

const whenTrafficWentTo = (endpoint: string, transitions: readonly Transition[]) =>
  transitions.filter(({ current }) => current === endpoint).map(({ at }) => at);

describe('fail-over', () => {
  it.each([
    { interval: 10, tolerated: 3, timeout: 9, ttl: 10, worst: 59 },
    { interval: 30, tolerated: 3, timeout: 10, ttl: 30, worst: 160 },
    { interval: 10, tolerated: 1, timeout: 5, ttl: 10, worst: 35 },
    { interval: 10, tolerated: 0, timeout: 5, ttl: 10, worst: 25 },
  ])('takes at worst $worst s at $interval/$tolerated/$timeout and a TTL of $ttl s', (row) => {
    const transitions = replay({
      intervalMs: row.interval * SECOND_MS,
      toleratedFailures: row.tolerated,
      failureMs: row.timeout * SECOND_MS,
      // Just after a probe that still saw it healthy.
      outage: { fromMs: 1, toMs: Number.POSITIVE_INFINITY },
    });
    const [degradedMs = 0] = whenTrafficWentTo('west', transitions);
    expect(degradedMs).toBe((row.worst - row.ttl) * SECOND_MS);
    // A client that looked up just before the last probe failed is the last to leave.
    const lastMs = lastUseOfEastMs(transitions, row.ttl * SECOND_MS, degradedMs - 1);
    expect(lastMs + 2).toBe(row.worst * SECOND_MS);
    const bounds = failOverBounds({
      intervalMs: row.interval * SECOND_MS,
      toleratedFailures: row.tolerated,
      timeoutMs: row.timeout * SECOND_MS,
      ttlMs: row.ttl * SECOND_MS,
    });
    expect(bounds.worstMs).toBe(row.worst * SECOND_MS);
  });

  // TTL + retries x interval: the outage begins with a probe and the connection is refused at once.
  it.each([
    { interval: 10, tolerated: 3, ttl: 10, formula: 40 },
    { interval: 10, tolerated: 1, ttl: 10, formula: 20 },
  ])('takes the $formula s of the formula at $interval s and $tolerated tolerated', (row) => {
    const outageFromMs = row.interval * SECOND_MS;
    const transitions = replay({
      intervalMs: row.interval * SECOND_MS,
      toleratedFailures: row.tolerated,
      failureMs: 0,
      outage: { fromMs: outageFromMs, toMs: Number.POSITIVE_INFINITY },
    });
    const [failedOverAt = 0] = whenTrafficWentTo('west', transitions);
    expect(failedOverAt - outageFromMs).toBe((row.formula - row.ttl) * SECOND_MS);
    const bounds = failOverBounds({
      intervalMs: row.interval * SECOND_MS,
      toleratedFailures: row.tolerated,
      timeoutMs: 5 * SECOND_MS,
      ttlMs: row.ttl * SECOND_MS,
    });
    expect(bounds.formulaMs).toBe(row.formula * SECOND_MS);
  });

  it('does not happen in an outage that ends before the last tolerated probe', () => {
    const transitions = replay({
      intervalMs: 10 * SECOND_MS,
      toleratedFailures: 3,
      failureMs: 9 * SECOND_MS,
      outage: { fromMs: 1, toMs: 40 * SECOND_MS },
    });
    expect(whenTrafficWentTo('west', transitions)).toEqual([]);
  });
});

describe('fail-back', () => {
  it('happens on the first probe after the service is back, at most one interval later', () => {
    const transitions = replay({
      intervalMs: 10 * SECOND_MS,
      toleratedFailures: 3,
      failureMs: 9 * SECOND_MS,
      outage: { fromMs: 1, toMs: 90_001 },
    });
    expect(whenTrafficWentTo('east', transitions)).toEqual([0, 100 * SECOND_MS]);
  });
});

describe('the probe schedule', () => {
  it.each([
    [0, 10_000, 10_000],
    [9000, 10_000, 1000],
    [10_000, 10_000, 0],
    [12_000, 10_000, 0],
  ])('after a probe of %i ms at an interval of %i ms waits %i ms', (took, interval, expected) => {
    expect(nextProbeDelayMs(took, interval)).toBe(expected);
  });
});
