import type { Fragment, FragmentHead } from '../model/change-set.ts';

export type KeptFragment =
  /** All are there. */
  | { readonly kind: 'whole'; readonly encoded: Uint8Array }
  | { readonly kind: 'incomplete' }
  /** The set was archived here before, so nothing of it is needed. */
  | { readonly kind: 'known' };

/**
 * Keeps the fragments of change sets that were received until all of a set are there: a queue holds none back for as long
 * as that may take, and none of them says anything alone. In this region's own store, so that any process may add to them.
 */
export interface FragmentKeeper {
  /**
   * Keeps the fragment durably, and tells whether the set is whole by then. Idempotent, in any order. Throws
   * `FRAGMENTS_DIFFER` where they are all there and make no set.
   */
  keep(fragment: Fragment): Promise<KeptFragment>;
  /** Forgets those of one set. Idempotent. */
  drop(set: FragmentHead): Promise<void>;
}
