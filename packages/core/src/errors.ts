/**
 * The three kinds of trouble, never mixed: outcomes are return values, operating errors are thrown
 * as one of the two classes below (they say what a retry would do), broken invariants `assert`.
 */
export interface AppErrorOptions {
  readonly cause?: unknown;
  readonly details?: Readonly<Record<string, unknown>>;
  /** How long the service asked us to wait, in milliseconds. */
  readonly retryAfterMs?: number;
}

export type TransientErrorCode =
  | 'TABLE_THROTTLED'
  | 'TABLE_UNAVAILABLE'
  | 'TABLE_OUTCOME_UNKNOWN'
  | 'WRITE_CONTENDED'
  | 'BUS_UNAVAILABLE'
  | 'BUS_THROTTLED'
  | 'STATE_NOT_REACHED'
  | 'RECOVERY_BUSY'
  | 'CLOCK_AHEAD'
  | 'OVERLOADED'
  | 'SHUTTING_DOWN';

export type TerminalErrorCode =
  | 'TABLE_LIMIT_EXCEEDED'
  | 'TABLE_FORBIDDEN'
  | 'TABLE_MISSING'
  | 'TABLE_NOT_FOUND'
  | 'TABLE_REQUEST_INVALID'
  | 'ROW_MALFORMED'
  | 'MESSAGE_TOO_LARGE'
  | 'BUS_FORBIDDEN'
  | 'BUS_ENTITY_MISSING'
  | 'CHANGE_UNDECODABLE'
  | 'CHANGE_TOO_NEW'
  | 'CHANGE_TOO_OLD'
  | 'CHANGE_TOO_LARGE'
  | 'FRAGMENTS_DIFFER'
  | 'STAMP_IMPOSSIBLE'
  | 'STAMP_INCONSISTENT'
  | 'REGION_UNKNOWN'
  | 'BUCKET_WRONG'
  | 'FIELD_RESERVED'
  | 'FIELD_UNKNOWN'
  | 'FIELD_TOO_LARGE'
  | 'ENTITY_UNSTORABLE'
  | 'ENTITY_KIND_UNKNOWN'
  | 'ENTITY_KIND_INVALID'
  | 'ENTITY_INVALID'
  | 'CURSOR_INVALID'
  | 'TRANSACTION_INVALID'
  | 'SESSION_INVALID'
  | 'ARCHIVE_DAMAGED'
  | 'TABLE_FOREIGN'
  | 'RECOVERY_REFUSED'
  | 'DRILL_REFUSED'
  | 'CONFIGURATION_INVALID';

export type AppErrorCode = TransientErrorCode | TerminalErrorCode;

export abstract class AppError extends Error {
  abstract readonly code: AppErrorCode;
  abstract readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.details = options.details ?? {};
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** The same call may succeed later. */
export class TransientError extends AppError {
  readonly code: TransientErrorCode;
  readonly retryable = true;

  constructor(code: TransientErrorCode, message: string, options?: AppErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The same call will never succeed; the message says what to change. */
export class TerminalError extends AppError {
  readonly code: TerminalErrorCode;
  readonly retryable = false;

  constructor(code: TerminalErrorCode, message: string, options?: AppErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** For what cannot happen unless this code is wrong; never for data from the network. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`Broken invariant: ${message}`);
}

export function assertNever(value: never): never {
  throw new Error(`Broken invariant: unexpected case ${JSON.stringify(value)}`);
}
