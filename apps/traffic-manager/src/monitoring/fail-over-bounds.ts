/** How a profile probes and how long its answers are remembered. */
interface FailOverSettings {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly toleratedFailures: number;
  readonly ttlMs: number;
}

interface FailOverBounds {
  /** Microsoft's formula, TTL + retries x interval: reliability-traffic-manager.md. */
  readonly formulaMs: number;
  /**
   * The region dies just after a healthy probe, every probe of it runs into the time-out, and the
   * client looked up just before the last one failed.
   */
  readonly worstMs: number;
}

/** From the moment at which an endpoint dies to the one at which the last client has left it. */
export function failOverBounds(settings: FailOverSettings): FailOverBounds {
  const { intervalMs, timeoutMs, toleratedFailures, ttlMs } = settings;
  const formulaMs = ttlMs + toleratedFailures * intervalMs;
  return { formulaMs, worstMs: formulaMs + intervalMs + timeoutMs };
}
