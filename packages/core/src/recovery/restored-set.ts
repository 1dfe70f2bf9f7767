import { assert } from '../errors.ts';
import type { ChangeSet } from '../replication/change-set.ts';
import { CHANGES_PER_SET_MAX } from '../replication/change-set.ts';
import type { EntityState } from '../state/entity-state.ts';
import { mergeStates } from '../state/merge.ts';
import { newestStamp } from '../state/version-vector.ts';

export interface RestoredEntity {
  readonly entityKind: string;
  readonly bucket: string;
  readonly entityId: string;
  readonly state: EntityState;
}

/**
 * A row's state as a change set of its own, under the stamp of its newest transaction: what an archive
 * keeps where the transactions themselves are lost.
 */
export function restoredSet({ entityKind, bucket, entityId, state }: RestoredEntity): ChangeSet {
  const stamp = newestStamp(state.vector);
  assert(stamp !== undefined, 'a state that exists contains a transaction');
  return { entityKind, bucket, stamp, changes: [{ entityId, operation: 'replace', state }] };
}

/**
 * The join of two change sets of one stamp: every change of either, and of an entity that both have
 * the join of its states. Undefined when it would hold more changes than a set can.
 */
export function joinChangeSets(a: ChangeSet, b: ChangeSet): ChangeSet | undefined {
  const changes = new Map(a.changes.map((change) => [change.entityId, change]));
  for (const change of b.changes) {
    const own = changes.get(change.entityId);
    const state = own === undefined ? change.state : mergeStates(own.state, change.state);
    changes.set(change.entityId, { ...change, ...own, state });
  }
  return changes.size > CHANGES_PER_SET_MAX ? undefined : { ...a, changes: [...changes.values()] };
}
