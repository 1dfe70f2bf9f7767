import type { RegionStatus } from '../region-status/read-region-status.ts';

export interface DrillPrediction {
  readonly region: string;
  /** Where traffic would go; undefined when no other region is ready. */
  readonly successor: string | undefined;
  /** Acknowledged changes that no other region's queue has: gone if the region never comes back. */
  readonly lostChanges: number;
  /** Changes that some peer is owed, but not all: another region has them, and they arrive late. */
  readonly delayedChanges: number;
  /** Those counts are lower bounds. */
  readonly isAtLeast: boolean;
  readonly failOver: FailOverBounds;
  /** How old what the successor shows may be at the moment of the fail-over. */
  readonly successorLagMs: number | undefined;
  /** Messages that the successor has to apply first, and the time that takes at the given rate. */
  readonly successorWaiting: number | undefined;
  readonly drainMs: number | undefined;
}

export interface PredictOptions {
  readonly region: string;
  /** Stand in order of priority. */
  readonly statuses: readonly RegionStatus[];
  readonly probing: ProbeSettings;
  readonly messagesPerSecond: number;
}

const MS_PER_S = 1_000;

/** Says what would happen if the region vanished now. Nothing is done, and nothing flatters (I11). */
export function predictDrill(options: PredictOptions): DrillPrediction {
  const { region, statuses, probing, messagesPerSecond } = options;
  const own = statuses.find((one) => one.region === region);
  const successor = statuses.find((one) => one.region !== region && one.readiness.kind === 'ready');
  const owed = Math.max(0, ...(own?.directions ?? []).map(({ owedChanges }) => owedChanges));
  const lostChanges = own?.outbox.owedToAll ?? 0;
  const waiting =
    successor?.queue !== undefined && 'waiting' in successor.queue
      ? successor.queue.waiting
      : undefined;
  return {
    region,
    successor: successor?.region,
    lostChanges,
    delayedChanges: Math.max(0, owed - lostChanges),
    isAtLeast: own?.outbox.isComplete !== true,
    failOver: failOverBounds(probing),
    successorLagMs: successor?.directions.find(({ peer }) => peer === region)?.lagMs,
    successorWaiting: waiting,
    drainMs:
      waiting === undefined ? undefined : Math.ceil((waiting / messagesPerSecond) * MS_PER_S),
  };
}

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
