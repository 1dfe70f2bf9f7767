import type { EntityKind, StoredRow, Write } from '@tandem/core';
import type { WriteCondition, WriteOutcome } from '../replicated-table.ts';

export interface WriteRequest {
  readonly entityId: string;
  readonly write: Write;
  readonly condition: WriteCondition | undefined;
  /** The trace that it belongs to. */
  readonly trace: string | undefined;
}

/**
 * What a row is taken to be. A write may always go ahead on it, because its ETag guards the commit;
 * any other answer needs a call of the store that began after the write was asked for.
 */
export interface KnownRow {
  readonly row: StoredRow | undefined;
  /** The number of the store call that told, in one count with `arrivedAt`. */
  readonly toldAt: number;
}

/** Of a row that is remembered from earlier, or merely supposed. */
export const NEVER_TOLD = -1;

/** A write that waits for its turn. */
export interface PendingWrite<K extends EntityKind> {
  readonly request: WriteRequest;
  readonly arrivedAt: number;
  /** How often it was found waiting. */
  looks: number;
  /** It is in a transaction whose outcome is not known yet. */
  isUnderWay: boolean;
  /** Its caller was told that it took too long; what has not begun of it is not done any more. */
  isGivenUp: boolean;
  /** How often the row was changed by someone else between reading and committing. */
  refusals: number;
  /** Set once a group that it was part of was refused as malformed: it then goes without company. */
  goesAlone: boolean;
  readonly resolve: (outcome: WriteOutcome<K>) => void;
  readonly reject: (error: unknown) => void;
}
