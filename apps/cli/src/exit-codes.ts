import type { AppError, AppErrorCode, VerifyReport } from '@tandem/core';

// How a command ends that cannot do what it was asked: the errors of the operator, and the codes for scripts.

/** Documented in docs/cli.md; scripts rely on them. */
export const EXIT = {
  ok: 0,
  /** It failed; the message says why. */
  failed: 1,
  /** Wrong options, an inventory that cannot be read, a region that it does not name. */
  usage: 2,
  /** It ran, and what it looked for is not so: regions differ, writes are at risk, findings. */
  finding: 3,
  /** A region, or its namespace, cannot be reached now. */
  unreachable: 4,
  /** No rights. */
  forbidden: 5,
  /** Someone else recovers the same region. */
  busy: 6,
  /** A row or an archive row that cannot be read. */
  damaged: 7,
  /** Stopped from the keyboard: the same command goes on. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const BY_ERROR: Partial<Record<AppErrorCode, ExitCode>> = {
  TABLE_THROTTLED: EXIT.unreachable,
  TABLE_UNAVAILABLE: EXIT.unreachable,
  TABLE_OUTCOME_UNKNOWN: EXIT.unreachable,
  BUS_UNAVAILABLE: EXIT.unreachable,
  BUS_THROTTLED: EXIT.unreachable,
  TABLE_FORBIDDEN: EXIT.forbidden,
  BUS_FORBIDDEN: EXIT.forbidden,
  RECOVERY_BUSY: EXIT.busy,
  ARCHIVE_DAMAGED: EXIT.damaged,
  ROW_MALFORMED: EXIT.damaged,
  CONFIGURATION_INVALID: EXIT.usage,
  TABLE_FOREIGN: EXIT.usage,
  CURSOR_INVALID: EXIT.usage,
  TRANSACTION_INVALID: EXIT.usage,
};

export function exitCodeOf(error: AppError): ExitCode {
  return BY_ERROR[error.code] ?? EXIT.failed;
}

/** Returns 0 for regions that are equal, else whether they differ or cannot be read. */
export function exitCodeOfProof({ isEqual, damaged, journals }: VerifyReport): ExitCode {
  if (isEqual) return EXIT.ok;
  return damaged.length + journals.damagedCount > 0 ? EXIT.damaged : EXIT.finding;
}

/** Says that what the operator asked for cannot be meant, and what can. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

/** Says that what the operator named is nowhere: well formed, and of nothing that there is. */
export class NotFoundError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'NotFoundError';
  }
}
