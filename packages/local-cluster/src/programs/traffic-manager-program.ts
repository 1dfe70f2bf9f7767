import { fileURLToPath } from 'node:url';
import { LOOPBACK, type PortPlan } from '../ports/port-plan.ts';
import { isReadyEvent, type Program } from '../process/program.ts';
import { urlOf } from './region-programs.ts';

/** Says how the traffic manager finds out that a region is down. */
export interface Probing {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly toleratedFailures: number;
  /** Says how long a client keeps using the region that it was sent to. */
  readonly ttlMs: number;
}

/** Does what Azure Traffic Manager does with its fast interval. */
export const PROBING_DEFAULT: Probing = {
  intervalMs: 10_000,
  timeoutMs: 9_000,
  toleratedFailures: 3,
  ttlMs: 10_000,
};

/** Serves a demonstration: a lost region is noticed in about three seconds instead of forty. */
export const PROBING_FAST: Probing = {
  intervalMs: 1_000,
  timeoutMs: 900,
  toleratedFailures: 2,
  ttlMs: 1_000,
};

const INTERVAL_MS_REAL = 10_000;

export function trafficManagerProgram(plan: PortPlan, probing: Probing): Program {
  const endpoints = Object.entries(plan.regions).map(
    ([region, ports]) => `${region}=${urlOf(ports.api)}`,
  );
  return {
    name: 'traffic manager',
    main: fileURLToPath(import.meta.resolve('@tandem/traffic-manager/main')),
    args: [],
    env: {
      ENDPOINTS: endpoints.join(','),
      HOST: LOOPBACK,
      PORT: String(plan.trafficManager),
      PROBE_INTERVAL_MS: String(probing.intervalMs),
      PROBE_TIMEOUT_MS: String(probing.timeoutMs),
      TOLERATED_FAILURES: String(probing.toleratedFailures),
      DNS_TTL_MS: String(probing.ttlMs),
      ALLOW_FAST_PROBES: String(probing.intervalMs < INTERVAL_MS_REAL),
    },
    isReadyLine: isReadyEvent,
    stopSignal: 'SIGTERM',
    watchesParent: false,
  };
}
