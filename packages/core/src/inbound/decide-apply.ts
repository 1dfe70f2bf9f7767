import { type Conflict, findConflicts } from '../model/conflict.ts';
import type { Replica } from '../ports/replica.ts';
import { adoptionOf } from '../state/adopted-state.ts';
import {
  type EntityState,
  fieldsSince,
  type StoredState,
  stampsOf,
} from '../state/entity-state.ts';
import { mergeStates } from '../state/merge.ts';
import { covers, newestStamp } from '../state/version-vector.ts';
import { type Stamp, stampTimeMs } from '../time/stamp.ts';

export interface IncomingChange extends StoredState {
  readonly entityId: string;
  readonly entityKind: string;
  /** Is that of its change set: nothing in the state is newer, and all of an adopted one may be years older. */
  readonly stamp: Stamp;
}

export type ApplyDecision =
  | { readonly kind: 'write'; readonly row: StoredState }
  | { readonly kind: 'skip' }
  | {
      readonly kind: 'merge';
      readonly row: StoredState;
      readonly conflicts: readonly Conflict[];
    }
  | { readonly kind: 'refuse'; readonly reason: 'older-than-tombstones' };

export interface ApplyContext {
  readonly stored: StoredState | undefined;
  readonly nowMs: number;
  /** Tombstones older than this may have been collected. */
  readonly tombstoneAgeMs: number;
  /** Those stamped before this time, in milliseconds, and no others, where it is known. */
  readonly collectedBeforeMs?: number | undefined;
}

/** Decides what a region does with one received change. Total: every pair of states has an answer. */
export function decideApply(incoming: IncomingChange, context: ApplyContext): ApplyDecision {
  const { stored } = context;
  if (stored === undefined) {
    // The row may be missing because its tombstone was collected: an old message must not revive it.
    return isOlderThanTombstones(incoming, context)
      ? { kind: 'refuse', reason: 'older-than-tombstones' }
      : { kind: 'write', row: incoming };
  }
  // A row is always the join of all that came, as a replay makes it. Of states that regions made the newer one
  // is the join already; a forged one may say that it contains what it leaves out.
  const joined = (): StoredState => mergeRows(stored, incoming);
  const isOld = covers(stored.state.vector, incoming.state.vector);
  if (isOld && !addsTo(stored.state, incoming.state)) return { kind: 'skip' };
  // The row may have been made where the tombstone of an earlier life was collected: nothing of that life may come
  // into it, as it may not where the message comes before the row is made.
  if (isOlderThanTombstones(incoming, context) && isYoungerThanTombstones(stored.state, context)) {
    return { kind: 'refuse', reason: 'older-than-tombstones' };
  }
  if (isOld) return { kind: 'write', row: joined() };
  if (covers(incoming.state.vector, stored.state.vector)) return { kind: 'write', row: joined() };
  return {
    kind: 'merge',
    row: mergeRows(stored, incoming),
    conflicts: findConflicts(stored.state, incoming),
  };
}

/** Says whether the join of the two holds anything that the stored one does not. */
function addsTo(stored: EntityState, incoming: EntityState): boolean {
  const { fields, alive, deleted, base, request } = incoming;
  const exceeds = (stamp: Stamp | undefined, own: Stamp | undefined): boolean =>
    stamp !== undefined && (own === undefined || stamp > own);
  if (exceeds(alive, stored.alive) || exceeds(deleted, stored.deleted)) return true;
  if (exceeds(base, stored.base)) return true;
  const isOfSame = newestStamp(incoming.vector) === newestStamp(stored.vector);
  if (isOfSame && (request ?? '') > (stored.request ?? '')) return true;
  for (const [name, { stamp }] of fieldsSince(stored.base, fields)) {
    if (exceeds(stamp, stored.fields.get(name)?.stamp)) return true;
  }
  return false;
}

/** Merges two rows; `referenceId` follows the newest transaction, so order cannot matter. */
export function mergeRows(a: StoredState, b: StoredState): StoredState {
  const newest = (row: StoredState): Stamp | '' => newestStamp(row.state.vector) ?? '';
  return {
    state: mergeStates(a.state, b.state),
    referenceId: newest(a) >= newest(b) ? a.referenceId : b.referenceId,
  };
}

/**
 * Returns the same row, with no more in it than one of the replica holds: what is joined is written like this.
 */
export function fitRow<R extends StoredState>(replica: Pick<Replica, 'fit'>, row: R): R {
  const state = replica.fit(row.state);
  return state === row.state ? row : { ...row, state };
}

/**
 * Says whether a tombstone of what the change says may have been collected. An adopted state is as old as the set that
 * brings it: while a table is taken over no tombstone of it is collected, so none is older than its first set.
 */
function isOlderThanTombstones({ state, stamp }: IncomingChange, context: ApplyContext): boolean {
  const newest = adoptionOf(state) === undefined ? newestStamp(state.vector) : stamp;
  return newest === undefined || stampTimeMs(newest) < horizonOf(context);
}

/** Says whether nothing in the state is from when a tombstone may have been collected since. */
function isYoungerThanTombstones(state: EntityState, context: ApplyContext): boolean {
  const horizonMs = horizonOf(context);
  return [...stampsOf(state)].every((stamp) => stampTimeMs(stamp) >= horizonMs);
}

function horizonOf({ nowMs, tombstoneAgeMs, collectedBeforeMs }: ApplyContext): number {
  return collectedBeforeMs ?? nowMs - tombstoneAgeMs;
}
