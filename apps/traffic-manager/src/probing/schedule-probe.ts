/**
 * How long to wait before the next probe of an endpoint, in milliseconds. Probes start at the
 * interval, measured from start to start; one that outlasts it delays the next, so that an
 * endpoint never has two probes under way.
 */
export function nextProbeDelayMs(probeDurationMs: number, intervalMs: number): number {
  return Math.max(0, intervalMs - probeDurationMs);
}
