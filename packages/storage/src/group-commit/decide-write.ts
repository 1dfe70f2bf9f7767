import {
  assertNever,
  changesNothing,
  encodeVector,
  isAlive,
  type MergePolicy,
  type Operation,
  type StoredRow,
  type Write,
} from '@tandem/core';
import type { WriteCondition } from '../replicated-table.ts';

export type WriteDecision =
  | { readonly kind: 'write'; readonly operation: Operation }
  /** Every field is as the write would make it. */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'condition-failed' };

export interface WriteRules {
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
