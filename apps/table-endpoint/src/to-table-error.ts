import { AppError, type AppErrorCode } from '@tandem/core';
import { TableError, type TableErrorCode } from '@tandem/table-protocol';

/**
 * Returns what a client is told: trouble with the region's own account is never the client's, so it is asked to
 * come again; where nobody knows whether a write happened, it is told that, and repeats it.
 */
export function toTableError(error: unknown): TableError {
  if (error instanceof TableError) return error;
  if (!(error instanceof AppError)) return new TableError('InternalError');
  const code = codeOf(error);
  const told = isOfCaller(code) ? new TableError(code, error.message) : new TableError(code);
  const { index } = error.details;
  return typeof index === 'number' ? told.ofOperation(index) : told;
}

/** What is wrong inside is said in the log alone. */
function isOfCaller(code: TableErrorCode): boolean {
  return code !== 'ServerBusy' && code !== 'OperationTimedOut' && code !== 'TableNotFound';
}

function codeOf({ code, details }: AppError): TableErrorCode {
  switch (code) {
    case 'TABLE_OUTCOME_UNKNOWN':
      return 'OperationTimedOut';
    case 'TABLE_NOT_FOUND':
      return 'TableNotFound';
    case 'CURSOR_INVALID':
    case 'TRANSACTION_INVALID':
    case 'TABLE_REQUEST_INVALID':
      return 'InvalidInput';
    case 'ENTITY_INVALID':
      return codeOfInvalid(details);
    case 'TABLE_LIMIT_EXCEEDED':
      return LIMITS[String(details['reason'])] ?? 'EntityTooLarge';
    default:
      return 'ServerBusy';
  }
}

/** Keys are told by how long they are together, or by which of them holds what no key may hold. */
function codeOfInvalid(details: AppError['details']): TableErrorCode {
  if (typeof details['length'] === 'number') return 'KeyValueTooLarge';
  return typeof details['name'] === 'string' ? 'OutOfRangeInput' : 'InvalidInput';
}

/** By why no region would take the row. */
const LIMITS: Readonly<Record<string, TableErrorCode>> = {
  FIELD_TOO_LARGE: 'PropertyValueTooLarge',
  FIELD_UNKNOWN: 'TooManyProperties',
  FIELD_RESERVED: 'PropertyNameInvalid',
} satisfies Partial<Record<AppErrorCode, TableErrorCode>>;
