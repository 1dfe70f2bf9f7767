import type { DutyName } from './duties/duty.ts';
import type { DutyHealth } from './duties/run-duties.ts';
/**
 * `opening` until the region's tables and settings are there, `running` while the loops run,
 * `stopping` from the first signal on.
 */
export type ProcessPhase = 'opening' | 'running' | 'stopping';

export interface HealthInput {
  readonly nowMs: number;
  readonly phase: ProcessPhase;
  /** Empty before the loops run. */
  readonly duties: readonly DutyHealth[];
  /** When the receive loop, holding a batch through an outage, last tried again. */
  readonly lastOutageMs: number | undefined;
}

export type Liveness =
  | { readonly kind: 'live' }
  /** A restart is all that helps: these loops hang. */
  | { readonly kind: 'stalled'; readonly loops: readonly DutyName[] };

/** An outage stalls nothing: a loop that fails, or that waits and tries, is alive. */
export function decideLiveness(input: HealthInput): Liveness {
  const loops = input.duties.filter((one) => isStalled(one, input)).map(({ duty }) => duty.name);
  return loops.length === 0 ? { kind: 'live' } : { kind: 'stalled', loops };
}

type NotReadyReason =
  | { readonly kind: 'opening' }
  | { readonly kind: 'stopping' }
  | { readonly kind: 'loop-not-through'; readonly loop: DutyName };

export type ReplicatorReadiness =
  | { readonly kind: 'ready' }
  | { readonly kind: 'not-ready'; readonly reasons: readonly NotReadyReason[] };

/** Speaks of this process: whether the region may take traffic is the customer API's to say. */
export function decideReplicatorReadiness({ phase, duties }: HealthInput): ReplicatorReadiness {
  if (phase !== 'running') return { kind: 'not-ready', reasons: [{ kind: phase }] };
  const reasons = duties
    .filter(({ duty, lastSuccessMs }) => duty.isNeededForReady && lastSuccessMs === undefined)
    .map(({ duty }) => ({ kind: 'loop-not-through' as const, loop: duty.name }));
  return reasons.length === 0 ? { kind: 'ready' } : { kind: 'not-ready', reasons };
}

/** Jitter and the wait after a failure come on top of the interval. */
const INTERVALS_ALLOWED = 2;

function isStalled(health: DutyHealth, { nowMs, lastOutageMs }: HealthInput): boolean {
  const { duty } = health;
  if (duty.stallMs === undefined || !health.isRunning) return false;
  const signsMs = [
    health.startedMs + duty.firstDelayMs,
    health.lastSuccessMs,
    health.lastFailureMs,
  ];
  if (duty.name === 'receive') signsMs.push(lastOutageMs);
  const lastSignMs = Math.max(...signsMs.filter((ms) => ms !== undefined));
  return nowMs - lastSignMs > duty.stallMs + INTERVALS_ALLOWED * duty.intervalMs();
}
