import {
  assert,
  assertNever,
  changesNothing,
  type EntityKind,
  encodeVector,
  isAlive,
  type MergePolicy,
  type Operation,
  type StoredRow,
  type Write,
} from '@tandem/core';
import type { WriteCondition, WriteOutcome } from '../replicated-table.ts';
import { toLiveRecord } from '../table/entity-record.ts';
import type { KnownRow, PendingWrite } from './pending-write.ts';

type WriteDecision =
  | { readonly kind: 'write'; readonly operation: Operation }
  /** Every field is as the write would make it. */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'condition-failed' };

interface WriteRules {
  readonly condition: WriteCondition | undefined;
  readonly policy: MergePolicy;
}

/** Decides whether a write goes ahead on what is stored. A tombstone counts as nothing stored. */
export function decideWrite(
  write: Write,
  stored: StoredRow | undefined,
  { condition, policy }: WriteRules,
): WriteDecision {
  const live = stored !== undefined && isAlive(stored.state) ? stored : undefined;
  if (condition !== undefined && !holds(condition, live)) return { kind: 'condition-failed' };
  if (policy === 'field' && live !== undefined && changesNothing(write, live.state)) {
    return { kind: 'unchanged' };
  }
  switch (write.kind) {
    case 'put':
      return { kind: 'write', operation: live === undefined ? 'create' : 'replace' };
    case 'patch':
      return live === undefined ? { kind: 'not-found' } : { kind: 'write', operation: 'patch' };
    case 'delete':
      return live === undefined ? { kind: 'not-found' } : { kind: 'write', operation: 'delete' };
    case 'forget':
      return stored === undefined ? { kind: 'not-found' } : { kind: 'write', operation: 'delete' };
    default:
      return assertNever(write);
  }
}

function holds(condition: WriteCondition, live: StoredRow | undefined): boolean {
  switch (condition.kind) {
    case 'absent':
      return live === undefined;
    case 'present':
      return live !== undefined;
    case 'version':
      return live !== undefined && condition.versions.includes(encodeVector(live.state.vector));
    default:
      return assertNever(condition);
  }
}

type PendingDecision<K extends EntityKind> =
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
