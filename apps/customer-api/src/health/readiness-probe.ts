import type { Readiness, UnreadyReason } from '@tandem/core';

/** Readiness of this process: that of its region, and red as soon as it begins to stop. */
export type ProcessReadiness =
  | Extract<Readiness, { kind: 'ready' }>
  | {
      readonly kind: 'not-ready';
      readonly reasons: readonly (UnreadyReason | { readonly kind: 'stopping' })[];
    };

/** Never throws, and answers within the time that a probe waits. */
export type ReadinessProbe = () => Promise<ProcessReadiness>;
