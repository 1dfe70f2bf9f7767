import { TransientError } from '@tandem/core';

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
