import { assert, type EntityKind, type Operation } from '@tandem/core';
import type { WriteOutcome } from '../replicated-table.ts';
import { toLiveRecord } from '../table/entity-record.ts';
import { decideWrite } from './decide-write.ts';
import type { KnownRow, PendingWrite } from './pending-write.ts';

export type PendingDecision<K extends EntityKind> =
  | { readonly kind: 'write'; readonly operation: Operation }
  | { readonly kind: 'answer'; readonly outcome: WriteOutcome<K> }
  /** What is known of the row is too old to refuse the write with, or to call it needless. */
  | { readonly kind: 'reread' };

/** What becomes of a waiting write on what is known of its row. */
export function decidePending<K extends EntityKind>(
  { request, arrivedAt }: Pick<PendingWrite<K>, 'request' | 'arrivedAt'>,
  known: KnownRow,
  kind: K,
): PendingDecision<K> {
  const decision = decideWrite(request.write, known.row, {
    condition: request.condition,
    policy: kind.policy,
  });
  if (decision.kind === 'write') return decision;
  if (known.toldAt <= arrivedAt) return { kind: 'reread' };
  if (decision.kind === 'not-found') return { kind: 'answer', outcome: decision };
  const current = toLiveRecord(kind, request.entityId, known.row);
  if (decision.kind === 'unchanged') {
    assert(current !== undefined, 'only what is there can stay as it is');
    return { kind: 'answer', outcome: { kind: 'unchanged', record: current } };
  }
  return { kind: 'answer', outcome: { kind: 'condition-failed', current } };
}
