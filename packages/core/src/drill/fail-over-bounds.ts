/** How Traffic Manager probes, and how long clients keep its answers. */
export interface ProbeSettings {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly toleratedFailures: number;
  readonly ttlMs: number;
}

export interface FailOverBounds {
  /** No client can be elsewhere sooner: that many probes have to fail first. */
  readonly soonestMs: number;
  /** Microsoft's formula: TTL + retries x interval. */
  readonly formulaMs: number;
  /** The region dies just after a healthy probe, each probe times out, the client asked at the last. */
  readonly worstMs: number;
}

export function failOverBounds(settings: ProbeSettings): FailOverBounds {
  const { intervalMs, timeoutMs, toleratedFailures, ttlMs } = settings;
  const soonestMs = toleratedFailures * intervalMs;
  const formulaMs = ttlMs + soonestMs;
  return { soonestMs, formulaMs, worstMs: formulaMs + intervalMs + timeoutMs };
}
