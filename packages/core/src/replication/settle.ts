import { AppError } from '../errors.ts';

/** What becomes of a received message. */
export type Settlement =
  | { readonly kind: 'complete' }
  | { readonly kind: 'abandon' }
  | { readonly kind: 'dead-letter'; readonly reason: string; readonly description: string };

/** Service Bus refuses longer ones. */
const DESCRIPTION_LENGTH_MAX = 1_024;

/**
 * The one place that maps an error to a settlement: a terminal one is dead-lettered with its code as
 * the reason, anything else is retried.
 */
export function settlementFor(error: unknown): Settlement {
  if (!(error instanceof AppError) || error.retryable) return { kind: 'abandon' };
  return {
    kind: 'dead-letter',
    reason: error.code,
    description: error.message.slice(0, DESCRIPTION_LENGTH_MAX),
  };
}
