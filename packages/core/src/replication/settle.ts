import { AppError, type AppErrorCode } from '../errors.ts';

/** What becomes of a received message. */
export type Settlement =
  | { readonly kind: 'complete' }
  | { readonly kind: 'abandon' }
  | { readonly kind: 'dead-letter'; readonly reason: string; readonly description: string };

/** Service Bus refuses longer ones. */
const DESCRIPTION_LENGTH_MAX = 1_024;

/** What only another message can mend. Any other failure passes, or is mended by an operator. */
const MESSAGE_FAULTS: ReadonlySet<AppErrorCode> = new Set([
  'CHANGE_UNDECODABLE',
  'CHANGE_TOO_NEW',
  'CHANGE_TOO_OLD',
  'ENTITY_KIND_UNKNOWN',
  'ENTITY_INVALID',
  'ROW_MALFORMED',
  'TABLE_LIMIT_EXCEEDED',
  'TABLE_REQUEST_INVALID',
]);

export function isMessageFault(error: AppError): boolean {
  return MESSAGE_FAULTS.has(error.code);
}

/**
 * The one place that maps an error to a settlement: a fault of the message is dead-lettered with its
 * code as the reason, anything else is retried.
 */
export function settlementFor(error: unknown): Settlement {
  if (!(error instanceof AppError) || !isMessageFault(error)) return { kind: 'abandon' };
  return {
    kind: 'dead-letter',
    reason: error.code,
    description: error.message.slice(0, DESCRIPTION_LENGTH_MAX),
  };
}
