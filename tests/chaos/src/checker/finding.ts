/**
 * `lost`: an acknowledged write whose effect is neither there nor explained by another write.
 * `resurrected`: a customer that was deleted is alive without a later write. `diverged`: the regions
 * differ when all is over. `torn`: of a transaction one part is there and another is not. `unexpected`: anything else that a caller should never see.
 */
export type Verdict = 'lost' | 'torn' | 'resurrected' | 'diverged' | 'unexpected';

export interface Finding {
  readonly verdict: Verdict;
  /** Findings with the same key are one: the same write missing in both regions counts once. */
  readonly key: string;
  readonly message: string;
  /** Ids of the operations that show it. */
  readonly operations: readonly number[];
}
