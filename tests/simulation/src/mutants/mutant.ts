import type { RunPlan } from '../run/run-plan.ts';

/**
 * A fault that can be put into the shipping code while it is loaded, to see whether the simulation
 * finds it. The shipping code itself knows nothing of it.
 */
export interface Mutant {
  readonly id: string;
  /** What is wrong then, in words. */
  readonly title: string;
  readonly edits: readonly Edit[];
  /** Finding it takes an unusual course of events, so it gets this many seeds instead. */
  readonly seedsMax?: number;
  /** Tells the runs in which it can happen at all; others are not run, and do not count. */
  readonly where?: (plan: RunPlan) => boolean;
}

export interface Edit {
  /** From the root of the repository. */
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
}

export const CORE = 'packages/core/src/';
export const STORAGE = 'packages/storage/src/';
