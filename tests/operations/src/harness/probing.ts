import type { Probing } from '@tandem/local-cluster';

/** Fast enough for a test, slow enough for a machine that has other things to do. */
export const PROBING: Probing = {
  intervalMs: 300,
  timeoutMs: 5_000,
  toleratedFailures: 2,
  ttlMs: 300,
};
