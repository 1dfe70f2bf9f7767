/** The one place that knows what Azure and its SDK throw, and turns it into errors of our own. */
import { RestError } from '@azure/core-rest-pipeline';
import {
  type AppError,
  type AppErrorOptions,
  type CommitOutcome,
  TerminalError,
  TransientError,
} from '@tandem/core';
import type { ServiceRefusal } from './table-requests.ts';

export interface TableCall {
  /** A commit that may have been done leaves an unknown outcome; anything else can be repeated. */
  readonly kind: 'read' | 'commit' | 'create-table';
  readonly table: string;
}

/** A call that did not end within its time; thrown by `TableAccount.send`. */
export class CallTimedOut extends Error {}

/** Before there is a connection nothing can have been sent. */
const NOT_CONNECTED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN']);
const CONNECTING = /^(?:connect|getaddrinfo) /;

const LIMIT_CODES = new Set([
  'EntityTooLarge',
  'PropertyValueTooLarge',
  'PropertyNameTooLong',
  'RequestBodyTooLarge',
  'TooManyProperties',
  'KeyValueTooLarge',
]);

/** Returns undefined for what is an error and no outcome. */
export function outcomeOf(
  refusal: ServiceRefusal,
  operationCount: number,
): CommitOutcome | undefined {
  const reason = reasonOf(refusal);
  // Only a batch of several has to say which of them it means.
  const index = operationCount === 1 ? 0 : refusal.index;
  if (reason === undefined || index === undefined || index >= operationCount) return undefined;
  return { kind: 'refused', index, reason };
}

function reasonOf({ status, code }: ServiceRefusal) {
  if (code === 'EntityAlreadyExists') return 'row-exists';
  if (status === 412) return 'row-changed';
  if (status === 404 && code !== 'TableNotFound') return 'row-missing';
  return undefined;
}

/** Translates an answer of the service that is not a success. */
export function translateRefusal(refusal: ServiceRefusal, call: TableCall): AppError {
  const { status, code } = refusal;
  const answer = `${status}${code === '' ? '' : ` ${code}`}`;
  const options = { details: { table: call.table, status, serviceCode: code } };
  // A 503 that does not say so may come from something in between, after the service has done it.
  if (status === 429 || code === 'ServerBusy') {
    const message = `The table service throttles table "${call.table}" (${answer}). Ask less often.`;
    const { retryAfterMs } = refusal;
    const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
    return new TransientError('TABLE_THROTTLED', message, { ...options, ...wait });
  }
  if (status >= 500 || status === 408) {
    return translateNoAnswer(call, `the service answered ${answer}`, options);
  }
  // Something in between answered: nothing was done, and the request is not to blame.
  if (status < 400 || status === 407) {
    return unavailable(call, `the service answered ${answer}`, options);
  }
  if (status === 401 || status === 403) {
    const remedy = 'Check the account key or the role assignment, and the clock of this machine';
    const message = `Table "${call.table}": the service refused access (${answer}). ${remedy}.`;
    return new TerminalError('TABLE_FORBIDDEN', message, options);
  }
  if (code === 'TableNotFound') {
    const message = `There is no table "${call.table}". Create it with createTable first.`;
    return new TerminalError('TABLE_MISSING', message, options);
  }
  // The other conflicts pass by themselves: a table or an account that is being deleted or made.
  if (status === 409) return unavailable(call, `the service answered ${answer}`, options);
  const isLimit = status === 413 || LIMIT_CODES.has(code);
  const message = `Table "${call.table}": the service refused the request (${answer}): ${refusal.message}`;
  return new TerminalError(
    isLimit ? 'TABLE_LIMIT_EXCEEDED' : 'TABLE_REQUEST_INVALID',
    message,
    options,
  );
}

/** Translates whatever was thrown instead of an answer. */
export function translateThrown(error: unknown, call: TableCall): AppError {
  const options = { cause: error, details: { table: call.table } };
  if (error instanceof CallTimedOut) return translateNoAnswer(call, error.message, options);
  if (error instanceof RestError) {
    const what = `${error.code ?? ''} ${error.message}`.trim();
    const isUnsent = NOT_CONNECTED.has(error.code ?? '') || CONNECTING.test(error.message);
    return isUnsent ? unavailable(call, what, options) : translateNoAnswer(call, what, options);
  }
  return isAuthenticationError(error)
    ? translateAuthentication(error, call)
    : translateNoAnswer(call, 'the request failed', options);
}

interface AuthenticationFailure extends Error {
  readonly statusCode?: number;
}

/** `@azure/identity` throws these, before anything is sent. */
function isAuthenticationError(error: unknown): error is AuthenticationFailure {
  return error instanceof Error && /(?:Credential|Authentication)/.test(error.name);
}

function translateAuthentication(error: AuthenticationFailure, call: TableCall): AppError {
  const options = { cause: error, details: { table: call.table } };
  const { statusCode = 0 } = error;
  if (statusCode < 400 || statusCode >= 500) {
    return unavailable(call, `there is no token (${error.name})`, options);
  }
  const message = `Table "${call.table}": the identity was refused (${statusCode}). Check its roles.`;
  return new TerminalError('TABLE_FORBIDDEN', message, options);
}

/** Translates that there is no answer, or none that says whether it was done. */
export function translateNoAnswer(
  call: TableCall,
  what: string,
  options: AppErrorOptions = {},
): AppError {
  if (call.kind !== 'commit') return unavailable(call, what, options);
  const message = `Table "${call.table}": ${what}; the transaction may have been committed.`;
  return new TransientError('TABLE_OUTCOME_UNKNOWN', message, options);
}

function unavailable(call: TableCall, what: string, options: AppErrorOptions): AppError {
  const message = `Table "${call.table}" cannot be reached: ${what}.`;
  return new TransientError('TABLE_UNAVAILABLE', message, options);
}
