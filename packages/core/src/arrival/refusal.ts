import type { AppError, TerminalErrorCode } from '../errors.ts';

/**
 * Every reason for which what arrives is refused and dead-lettered, each with what an operator does about it:
 * the reason of the dead letter, the label of the metric and the field of the log line. Any other failure
 * passes by itself, or is mended at the region, and refuses nothing.
 */
export const REFUSALS = {
  CHANGE_UNDECODABLE: 'Nobody can read it: discard it.',
  CHANGE_TOO_NEW: 'Upgrade this region, then resubmit it.',
  CHANGE_TOO_OLD: 'It could revive what was deleted: discard it once the regions are equal.',
  CHANGE_TOO_LARGE: 'No region sends as much in one message: find who did, and discard it.',
  STAMP_IMPOSSIBLE: 'No clock can have made its stamp: find who sent it, and discard it.',
  STAMP_INCONSISTENT: 'No region makes such a set of stamps: find who sent it, and discard it.',
  REGION_UNKNOWN:
    'Name the region in Regions.Former if there was one, then resubmit it; else discard it.',
  BUCKET_WRONG: 'Give every region the same bucket count; where they have, discard it.',
  FIELD_RESERVED:
    'The field has the name of a column of the system: find who sent it, and discard it.',
  FIELD_UNKNOWN: 'Upgrade this region, then resubmit it, or discard it.',
  FIELD_TOO_LARGE: 'Run the same definition of the kind in every region, then resubmit it.',
  ENTITY_UNSTORABLE: 'Mend what the store does not take, then resubmit it.',
  ENTITY_KIND_UNKNOWN: 'Register the kind in the replicator, then resubmit it.',
  ENTITY_INVALID:
    'Run the same definition of the kind in every region, then resubmit it, or discard it.',
  ROW_MALFORMED: 'Repair the row that it names, then resubmit it.',
  TABLE_LIMIT_EXCEEDED: 'The table cannot hold it: discard it.',
  TABLE_REQUEST_INVALID: 'The table cannot hold it: discard it.',
} as const satisfies Partial<Record<TerminalErrorCode, string>>;

export type RefusalReason = keyof typeof REFUSALS;

export const REFUSAL_REASONS = Object.keys(REFUSALS) as readonly RefusalReason[];

export function isRefusalReason(code: string): code is RefusalReason {
  return Object.hasOwn(REFUSALS, code);
}

/** Whether only another message can mend it. Any other failure passes, or is mended by an operator. */
export function isMessageFault(error: AppError): boolean {
  return isRefusalReason(error.code);
}
