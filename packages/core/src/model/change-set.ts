import { ROWS_PER_TRANSACTION_MAX } from '../limits/table-limits.ts';
import { adoptionOf } from '../state/adopted-state.ts';
import type { EntityState } from '../state/entity-state.ts';
import { hasSeen } from '../state/version-vector.ts';
import { type Stamp, stampRegion, stampTimeMs } from '../time/stamp.ts';

export type Operation = 'create' | 'replace' | 'patch' | 'delete';

/** Is one transaction's full resulting state of one entity. */
export interface Change {
  readonly entityId: string;
  readonly operation: Operation;
  readonly state: EntityState;
  /** Is the trace that the write belongs to, as `traceparent`; it means nothing to replication. */
  readonly trace?: string;
}

/** Holds the changes of one commit in one bucket: written, archived, sent and applied as a whole. */
export interface ChangeSet {
  readonly entityKind: string;
  readonly bucket: string;
  readonly stamp: Stamp;
  /** Holds 1 to `CHANGES_PER_SET_MAX`, each entity once. */
  readonly changes: readonly Change[];
  /**
   * Some of its changes are one transaction: every region applies, archives, replays or refuses all of the set or
   * nothing. Without it each change stands for itself once the set is in the hands of another region.
   */
  readonly whole?: true;
}

/** Every region applies a set in one transaction of its store. */
export const CHANGES_PER_SET_MAX = ROWS_PER_TRANSACTION_MAX;

/** Is what fits one transaction with its outbox row; a set of more is prepared before it is committed. */
export const CHANGES_WITH_OUTBOX_MAX = ROWS_PER_TRANSACTION_MAX - 1;

export function originOf(set: ChangeSet): string {
  return stampRegion(set.stamp);
}

/**
 * Returns the transaction whose state a change of the set is: the set's own, or of an adopted state the one that the
 * old table had done.
 */
export function transactionOf({ stamp }: Pick<ChangeSet, 'stamp'>, { state }: Change): Stamp {
  return adoptionOf(state) ?? stamp;
}

/** Returns the place of a change in the archive: `<archive partition>/<stamp>/<entity id>`. */
export function referenceIdOf(set: ChangeSet, entityId: string): string {
  return `${archivePartitionOf(set)}/${set.stamp}/${entityId}`;
}

/**
 * Archive rows lie by kind, bucket and day of the stamp, so that no partition is hot for long and
 * a span of time is read without a scan.
 */
export function archivePartitionOf(
  set: Pick<ChangeSet, 'entityKind' | 'bucket' | 'stamp'>,
): string {
  return `${set.entityKind}-${set.bucket}-${stampDay(set.stamp)}`;
}

/** Returns true when every change is contained in its own state, which is what makes redelivery harmless. */
export function isWellFormed(set: ChangeSet): boolean {
  const ids = new Set(set.changes.map((change) => change.entityId));
  return (
    ids.size === set.changes.length &&
    set.changes.every((change) => hasSeen(change.state.vector, transactionOf(set, change)))
  );
}

function stampDay(stamp: Stamp): string {
  return new Date(stampTimeMs(stamp)).toISOString().slice(0, 10).replaceAll('-', '');
}

/** Says of which change set a fragment is, and which of it. */
export interface FragmentHead {
  readonly entityKind: string;
  readonly bucket: string;
  readonly stamp: Stamp;
  readonly index: number;
  readonly count: number;
  /** Counts what the set takes once it is inflated. */
  readonly bytes: number;
  /** Counts the bytes of each fragment but the last. */
  readonly part: number;
  /** Is the SHA-256 of all that is deflated, in hexadecimal. */
  readonly digest: string;
}

/** Is a part of a change set that no message holds whole. See docs/adr/0042. */
export interface Fragment extends FragmentHead {
  readonly deflated: Uint8Array;
}
