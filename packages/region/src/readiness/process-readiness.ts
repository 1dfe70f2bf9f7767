import { assertNever, type Readiness, type UnreadyReason } from '@tandem/core';
import type { RegionReadiness } from './region-readiness.ts';

/** Readiness of this process: that of its region, and red before it is opened and once it stops. */
export type ProcessReadiness =
  | Extract<Readiness, { kind: 'ready' }>
  | {
      readonly kind: 'not-ready';
      readonly reasons: readonly (
        | UnreadyReason
        | { readonly kind: 'starting' }
        | { readonly kind: 'stopping' }
      )[];
    };

/**
 * Tells whether this process serves, however its region is. What the load balancer of the region asks:
 * were it to ask the region, a replicator that is dead everywhere would take every process of every
 * region out, and nobody would serve although everybody could.
 */
export function createServing({
  region,
  stopping,
}: ProcessReadinessOptions): () => ProcessReadiness {
  return () => {
    if (stopping.aborted) return { kind: 'not-ready', reasons: [{ kind: 'stopping' }] };
    return region() === undefined
      ? { kind: 'not-ready', reasons: [{ kind: 'starting' }] }
      : { kind: 'ready', notes: [] };
  };
}

export interface ProcessReadinessOptions {
  /** Undefined until the tables and settings of the region have been read. */
  readonly region: () => RegionReadiness | undefined;
  readonly stopping: AbortSignal;
}

export function createProcessReadiness({
  region,
  stopping,
}: ProcessReadinessOptions): () => Promise<ProcessReadiness> {
  return async () => {
    if (stopping.aborted) return { kind: 'not-ready', reasons: [{ kind: 'stopping' }] };
    const ask = region();
    return ask === undefined ? { kind: 'not-ready', reasons: [{ kind: 'starting' }] } : ask();
  };
}

/** What a probe is answered; it has one form for both states, so that a reader needs no more than `status`. */
export interface ReadinessAnswer {
  readonly status: 'ready' | 'not-ready';
  readonly region: string;
  /** Empty where it is ready. */
  readonly reasons: readonly ReadinessReason[];
  /** Say which peers were let through, or are damaged, and why. */
  readonly notes: readonly string[];
}

/** What is not known is left out. */
interface ReadinessReason {
  readonly kind: Reason['kind'];
  readonly peer?: string;
  readonly lagMs?: number;
  readonly ageMs?: number;
  readonly aheadMs?: number;
  readonly why?: string;
  readonly untilMs?: number;
}

type Reason = Extract<ProcessReadiness, { kind: 'not-ready' }>['reasons'][number];

export function readinessAnswerOf(region: string, readiness: ProcessReadiness): ReadinessAnswer {
  if (readiness.kind === 'ready') {
    return { status: 'ready', region, reasons: [], notes: [...readiness.notes] };
  }
  return { status: 'not-ready', region, reasons: readiness.reasons.map(toReason), notes: [] };
}

function toReason(reason: Reason): ReadinessReason {
  switch (reason.kind) {
    case 'replicator-not-heard':
      return {
        kind: reason.kind,
        ...(reason.ageMs === undefined ? {} : { ageMs: Math.round(reason.ageMs) }),
        ...(reason.aheadMs === undefined ? {} : { aheadMs: Math.round(reason.aheadMs) }),
      };
    case 'behind': {
      const { kind, peer, lagMs } = reason;
      return lagMs === undefined ? { kind, peer } : { kind, peer, lagMs: Math.round(lagMs) };
    }
    case 'held':
      return { kind: reason.kind, why: reason.why };
    case 'out-for-drill':
      return { kind: reason.kind, untilMs: reason.untilMs };
    case 'store-not-answering':
    case 'starting':
    case 'stopping':
      return { kind: reason.kind };
    default:
      return assertNever(reason);
  }
}
