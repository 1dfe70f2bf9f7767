import type { Command } from '../operators/recovery-log.ts';

/**
 * What makes a run hard besides the faults that are injected: how often each came about. They are
 * reported beside the faults, and are not to be taken out one by one as those are.
 */
type Situation =
  | 'upgrade'
  | 'two-replicators'
  | 'retried-elsewhere'
  | 'transacted'
  | 'prepared'
  | 'cut'
  | 'table-restored'
  | 'request-repeated'
  | 'table-purged'
  | 'failed-over'
  | 'failed-back-too-early'
  | 'collected-while-cut'
  | 'dead-letter-resubmitted'
  | 'recovery-resumed'
  | 'archive-trimmed'
  | `moved-by-${string}`
  | `moved-to-${string}`
  | 'order-not-searched'
  | `recovered-by-${Command['kind']}`;

export interface Situations {
  note(kind: Situation): void;
  readonly counts: ReadonlyMap<Situation, number>;
}

export function createSituations(): Situations {
  const counts = new Map<Situation, number>();
  return {
    counts,
    note: (kind) => void counts.set(kind, (counts.get(kind) ?? 0) + 1),
  };
}
