import type { Readiness, UnreadyReason } from '@tandem/core';
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
 * Whether this process serves, however its region is. What the load balancer of the region asks:
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
