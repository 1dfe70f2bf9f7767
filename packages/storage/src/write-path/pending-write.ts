import { type EntityKind, type StoredRow, TransientError, type Write } from '@tandem/core';
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

/** What to do after the store refused a group because one row was not as expected. */
interface RefusalPlan<W> {
  /** Its row was changed by someone else: read it again, decide again, commit it later. */
  readonly refused: W;
  /** To be committed at once. */
  readonly resubmitted: readonly W[];
  /** To be read before they are committed. */
  readonly doubtful: readonly W[];
}

/** The store names one row at a time, so many stale ones would cost a transaction each. */
const REFUSALS_BEFORE_DOUBT = 2;

/** `refusals` counts those in a row, this one included. */
export function settleRefusal<W extends { readonly isRemembered: boolean }>(
  members: readonly W[],
  index: number,
  refusals: number,
): RefusalPlan<W> | undefined {
  const refused = members[index];
  if (refused === undefined) return undefined;
  const others = members.filter((_, place) => place !== index);
  if (refusals < REFUSALS_BEFORE_DOUBT) return { refused, resubmitted: others, doubtful: [] };
  const { resubmitted = [], doubtful = [] } = Object.groupBy(others, ({ isRemembered }) =>
    isRemembered ? 'doubtful' : 'resubmitted',
  );
  return { refused, resubmitted, doubtful };
}

interface Lane {
  readonly table: string;
  readonly bucket: string;
}

const RETRY_AFTER_MS = 1_000;

export function errorFull({ table, bucket }: Lane, waitingMax: number): TransientError {
  return new TransientError(
    'TABLE_THROTTLED',
    `${waitingMax} writes wait for bucket ${bucket} of ${table}, and no more may. ` +
      'Write less often, or try again.',
    { retryAfterMs: RETRY_AFTER_MS },
  );
}

export function errorContended(table: string, entityId: string, times: number): TransientError {
  return new TransientError(
    'WRITE_CONTENDED',
    `Entity ${entityId} of ${table} was changed by others ${times} times in a row. Try again.`,
  );
}

/** For a write that waited behind one that failed with `cause`: of itself nothing was done. */
export function errorNotTried({ table, bucket }: Lane, cause: unknown): unknown {
  if (!(cause instanceof TransientError) || cause.code !== 'TABLE_OUTCOME_UNKNOWN') return cause;
  const message = `Bucket ${bucket} of ${table} gives no answer; nothing was done. Try again.`;
  return new TransientError('TABLE_UNAVAILABLE', message, { cause });
}

/** For a write whose caller waits no longer. `isUnderWay`: the store has it, and may have done it. */
export function errorLate(
  { table, bucket }: Lane,
  { waitMs, isUnderWay }: { readonly waitMs: number; readonly isUnderWay: boolean },
): TransientError {
  const silence = `Bucket ${bucket} of ${table} gave no answer within ${waitMs} ms`;
  return isUnderWay
    ? new TransientError('TABLE_OUTCOME_UNKNOWN', `${silence}; the write may have been done.`)
    : new TransientError('TABLE_UNAVAILABLE', `${silence}; nothing was done. Try again.`);
}
