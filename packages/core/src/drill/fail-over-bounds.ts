/** How Traffic Manager probes, and how long clients keep its answers. */
export interface ProbeSettings {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly toleratedFailures: number;
  readonly ttlMs: number;
}

/** From the moment at which an endpoint dies to the one at which the last client has left it. */
export interface FailOverBounds {
  /** No client can be elsewhere sooner: that many probes have to fail first. */
  readonly soonestMs: number;
  /** Microsoft's formula, TTL + retries x interval: reliability-traffic-manager.md. */
  readonly formulaMs: number;
  /**
   * The region dies just after a healthy probe, every probe of it runs into the time-out, and the
   * client looked up just before the last one failed.
   */
  readonly worstMs: number;
}

export function failOverBounds(settings: ProbeSettings): FailOverBounds {
  const { intervalMs, timeoutMs, toleratedFailures, ttlMs } = settings;
  const soonestMs = toleratedFailures * intervalMs;
  const formulaMs = ttlMs + soonestMs;
  return { soonestMs, formulaMs, worstMs: formulaMs + intervalMs + timeoutMs };
}
