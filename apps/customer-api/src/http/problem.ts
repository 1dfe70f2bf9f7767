import { AppError, type AppErrorCode } from '@tandem/core';
import type { FastifyError } from 'fastify';
import { describeViolations, type Violation } from '../validation/validator.ts';
import { BATCH_BODY_BYTES_MAX, BODY_BYTES_MAX } from './limits.ts';

/** The one file that knows which HTTP problem an error becomes. Never tells more than it must. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** The id of the request, which is also in the log. */
  readonly instance: string;
  readonly errors?: readonly Violation[];
}

interface ProblemErrorOptions {
  readonly detail: string;
  readonly errors?: readonly Violation[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** A problem that the HTTP layer itself has found. */
export class ProblemError extends Error {
  readonly code: ProblemCode;
  readonly errors: readonly Violation[] | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ProblemCode, options: ProblemErrorOptions) {
    super(options.detail);
    this.name = 'ProblemError';
    this.code = code;
    this.errors = options.errors;
    this.headers = options.headers ?? {};
  }
}

const RETRY_AFTER_MS_DEFAULT = 1_000;

const BY_APP_ERROR: Readonly<Record<AppErrorCode, ProblemCode>> = {
  TABLE_THROTTLED: 'service-unavailable',
  TABLE_UNAVAILABLE: 'service-unavailable',
  TABLE_OUTCOME_UNKNOWN: 'service-unavailable',
  WRITE_CONTENDED: 'service-unavailable',
  BUS_UNAVAILABLE: 'service-unavailable',
  BUS_THROTTLED: 'service-unavailable',
  STATE_NOT_REACHED: 'service-unavailable',
  SHUTTING_DOWN: 'service-unavailable',
  OVERLOADED: 'overloaded',
  RECOVERY_BUSY: 'service-unavailable',
  CLOCK_AHEAD: 'service-unavailable',
  TABLE_LIMIT_EXCEEDED: 'limit-exceeded',
  ENTITY_INVALID: 'entity-invalid',
  CURSOR_INVALID: 'cursor-invalid',
  TRANSACTION_INVALID: 'batch-not-atomic',
  SESSION_INVALID: 'internal-error',
  // Another region can do what this one cannot until an operator has mended it.
  TABLE_FORBIDDEN: 'service-unavailable',
  TABLE_MISSING: 'service-unavailable',
  TABLE_NOT_FOUND: 'internal-error',
  ARCHIVE_DAMAGED: 'internal-error',
  TABLE_FOREIGN: 'internal-error',
  RECOVERY_REFUSED: 'internal-error',
  DRILL_REFUSED: 'internal-error',
  TABLE_REQUEST_INVALID: 'internal-error',
  ROW_MALFORMED: 'internal-error',
  MESSAGE_TOO_LARGE: 'internal-error',
  BUS_FORBIDDEN: 'internal-error',
  BUS_ENTITY_MISSING: 'internal-error',
  CHANGE_UNDECODABLE: 'internal-error',
  CHANGE_TOO_NEW: 'internal-error',
  CHANGE_TOO_OLD: 'internal-error',
  CHANGE_TOO_LARGE: 'internal-error',
  FRAGMENTS_DIFFER: 'internal-error',
  STAMP_IMPOSSIBLE: 'limit-exceeded',
  STAMP_INCONSISTENT: 'internal-error',
  REGION_UNKNOWN: 'internal-error',
  BUCKET_WRONG: 'internal-error',
  FIELD_RESERVED: 'internal-error',
  FIELD_UNKNOWN: 'internal-error',
  FIELD_TOO_LARGE: 'internal-error',
  ENTITY_UNSTORABLE: 'internal-error',
  ENTITY_KIND_UNKNOWN: 'internal-error',
  ENTITY_KIND_INVALID: 'internal-error',
  CONFIGURATION_INVALID: 'internal-error',
};

/** What may be said where the region cannot serve: the error's own message can name accounts and hosts. */
const UNAVAILABLE_DETAIL: Readonly<Record<string, string>> = {
  TABLE_THROTTLED: 'The table of this region is throttled: send the request again later.',
  TABLE_OUTCOME_UNKNOWN:
    'The table did not say whether the write was done: read the customer, or send it again.',
  WRITE_CONTENDED: 'Others kept changing this customer: send the request again.',
  SHUTTING_DOWN: 'This process is stopping: send the request again.',
  TABLE_FORBIDDEN:
    'The tables of this region refuse this process: send the request to another region.',
  TABLE_MISSING: 'A table of this region is gone: send the request to another region.',
};

const BY_FRAMEWORK_CODE: Readonly<Record<string, { code: ProblemCode; detail: string }>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: {
    code: 'body-too-large',
    detail: `A body has at most ${BODY_BYTES_MAX} bytes, a batch ${BATCH_BODY_BYTES_MAX}.`,
  },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    code: 'unsupported-media-type',
    detail:
      'Send application/json; PATCH takes application/merge-patch+json, application/json, and ' +
      'an import application/x-ndjson.',
  },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    code: 'malformed-request',
    detail: 'The body does not have the length that Content-Length states.',
  },
  FST_ERR_BAD_URL: { code: 'malformed-request', detail: 'The path is not well percent-encoded.' },
  FST_ERR_MAX_PARAM_LENGTH: { code: 'uri-too-long', detail: 'No id is as long as that.' },
};

/** Total: anything that can be thrown becomes a problem, what is not known an `internal-error`. */
export function toProblemError(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  if (error instanceof AppError) return fromAppError(error);
  return fromFrameworkError(error) ?? internalError();
}

export function toProblem(error: ProblemError, requestId: string): Problem {
  const { status, title } = PROBLEMS[error.code];
  return {
    type: problemType(error.code),
    title,
    status,
    detail: error.message,
    instance: requestId,
    ...(error.errors === undefined ? {} : { errors: error.errors }),
  };
}

function fromAppError(error: AppError): ProblemError {
  const code = BY_APP_ERROR[error.code];
  if (code === 'internal-error') return internalError();
  // Errors of input, and of places that are taken, name the limit and quote no values.
  const detail =
    code === 'service-unavailable'
      ? (UNAVAILABLE_DETAIL[error.code] ?? 'The table of this region does not answer.')
      : error.message;
  if (code !== 'service-unavailable' && code !== 'overloaded')
    return new ProblemError(code, { detail });
  const seconds = Math.ceil((error.retryAfterMs ?? RETRY_AFTER_MS_DEFAULT) / 1_000);
  return new ProblemError(code, { detail, headers: { 'retry-after': String(seconds) } });
}

function fromFrameworkError(error: unknown): ProblemError | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, validation, validationContext, statusCode } = error as Partial<FastifyError>;
  if (validation !== undefined) {
    return new ProblemError('validation-failed', {
      detail: 'Each entry of "errors" names a field and the rule that it breaks.',
      errors: describeViolations(validation, validationContext ?? 'body'),
    });
  }
  const known = code === undefined ? undefined : BY_FRAMEWORK_CODE[code];
  if (known !== undefined) return new ProblemError(known.code, { detail: known.detail });
  const isClients = statusCode !== undefined && statusCode >= 400 && statusCode < 500;
  return isClients
    ? new ProblemError('malformed-request', { detail: 'The request could not be read.' })
    : undefined;
}

function internalError(): ProblemError {
  return new ProblemError('internal-error', {
    detail: 'The request was not at fault. The operator finds it in the log by "instance".',
  });
}

interface ProblemKind {
  readonly status: number;
  readonly title: string;
}

/**
 * Every problem that the API answers with (RFC 9457), by the last part of its type URI. The code is
 * the contract: clients branch on it, so it never changes; titles may be reworded.
 */
export const PROBLEMS = {
  'malformed-request': { status: 400, title: 'The request is not well-formed HTTP.' },
  'malformed-json': { status: 400, title: 'The body is not JSON in UTF-8.' },
  'validation-failed': { status: 400, title: 'A part of the request breaks a rule.' },
  'precondition-malformed': { status: 400, title: 'A precondition header cannot be understood.' },
  'version-malformed': { status: 400, title: 'The least version is none to wait for.' },
  'cursor-invalid': { status: 400, title: 'The cursor does not come from this list.' },
  'receipt-invalid': { status: 400, title: 'The receipt is not one of this customer.' },
  'token-missing': { status: 401, title: 'An access token is needed.' },
  'token-invalid': { status: 401, title: 'The access token is not accepted.' },
  'scope-missing': { status: 403, title: 'The access token does not allow this.' },
  'site-refused': { status: 403, title: 'The request comes from another site.' },
  'customer-not-found': { status: 404, title: 'There is no such customer.' },
  'route-not-found': { status: 404, title: 'There is nothing at this path.' },
  'method-not-allowed': { status: 405, title: 'The path does not take this method.' },
  'request-timeout': { status: 408, title: 'The request did not arrive in time.' },
  'key-spent': { status: 409, title: 'The customer of this key was deleted.' },
  'id-taken': { status: 409, title: 'Another customer has the id of this key.' },
  'batch-refused': { status: 409, title: 'One operation refuses the whole batch.' },
  'precondition-failed': { status: 412, title: 'The customer is not in the state asked for.' },
  'body-too-large': { status: 413, title: 'The body is too large.' },
  'line-too-long': { status: 413, title: 'The line is too long.' },
  'uri-too-long': { status: 414, title: 'A part of the path is too long.' },
  'unsupported-media-type': { status: 415, title: 'The body is of a type not taken here.' },
  'batch-not-atomic': { status: 422, title: 'The batch cannot be done whole.' },
  'read-only-differs': { status: 422, title: 'A member that no write sets is another.' },
  'key-reused': { status: 422, title: 'The key belongs to another request.' },
  'limit-exceeded': { status: 422, title: 'The customer does not fit into a table row.' },
  'entity-invalid': { status: 422, title: 'A field cannot hold its value.' },
  'precondition-required': { status: 428, title: 'The write takes a precondition.' },
  'rate-limited': { status: 429, title: 'Too many requests of one caller.' },
  'headers-too-large': { status: 431, title: 'The headers are too large.' },
  'internal-error': { status: 500, title: 'Something is broken in this service.' },
  'version-not-reached': { status: 503, title: 'The region has not reached that version yet.' },
  overloaded: { status: 503, title: 'The process has too much to do.' },
  'service-unavailable': { status: 503, title: 'The region cannot do this at the moment.' },
} as const satisfies Record<string, ProblemKind>;

export type ProblemCode = keyof typeof PROBLEMS;

export const PROBLEM_CODES = Object.keys(PROBLEMS) as readonly ProblemCode[];

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

export function problemType(code: ProblemCode): string {
  return `/problems/${code}`;
}
