import { AppError, type TerminalErrorCode } from '../errors.ts';
import type { ChangeSet } from '../model/change-set.ts';
import type { Settlement } from '../ports/change-receiver.ts';

/**
 * Names every reason for which what arrives is refused and dead-lettered, each with what an operator does about
 * it: the reason of the dead letter, the label of the metric and the field of the log line. Any other failure
 * passes by itself, or is mended at the region, and refuses nothing.
 */
export const REFUSALS = {
  CHANGE_UNDECODABLE: 'Nobody can read it: discard it.',
  CHANGE_TOO_NEW: 'Upgrade this region, then resubmit it.',
  CHANGE_TOO_OLD: 'It could revive what was deleted: discard it once the regions are equal.',
  CHANGE_TOO_LARGE: 'No region sends as much in one message: find who did, and discard it.',
  FRAGMENTS_DIFFER:
    'What came of the set in pieces does not make it: verify, repair where rows differ, and discard it.',
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

/** Says whether only another message can mend it. Any other failure passes, or is mended by an operator. */
export function isMessageFault(error: AppError): boolean {
  return isRefusalReason(error.code);
}

/** Service Bus refuses longer ones. */
const DESCRIPTION_LENGTH_MAX = 1_024;

/**
 * Maps an error, here and nowhere else, to a settlement: a fault of the message is dead-lettered with its code
 * as the reason, anything else is retried.
 */
export function settlementFor(error: unknown): Settlement {
  if (!(error instanceof AppError) || !isMessageFault(error)) return { kind: 'abandon' };
  return {
    kind: 'dead-letter',
    reason: error.code,
    description: error.message.slice(0, DESCRIPTION_LENGTH_MAX),
  };
}

export interface FailedSet {
  /** Is undefined when it could not be read. */
  readonly set?: ChangeSet;
  readonly error: AppError;
}

/**
 * Decides what becomes of a message of `count` change sets of which some have failed for good: the others are
 * applied, so sending all of it again does no harm. The reason is that of the first; the description names the
 * entities first, since it is cut, and then what is wrong with them.
 */
export function settlementOfSets(failed: readonly FailedSet[], count: number): Settlement {
  const [first] = failed;
  if (first === undefined) return { kind: 'complete' };
  const passing = failed.find(({ error }) => !isMessageFault(error));
  if (passing !== undefined || count === 1) return settlementFor((passing ?? first).error);
  const named = failed.map(namesOf).join(', ');
  const faults = [...new Set(failed.map(({ error }) => error.message))].join(' ');
  const description = `${failed.length} of ${count} change sets, the others are applied: ${named}. ${faults}`;
  return {
    kind: 'dead-letter',
    reason: first.error.code,
    description: description.slice(0, DESCRIPTION_LENGTH_MAX),
  };
}

/** Names the changes that failed; all of them where the error does not say. */
function namesOf({ set, error }: FailedSet): string {
  if (set === undefined) return 'one that cannot be read';
  const all = set.changes.map(({ entityId }) => entityId);
  const ids = (error.details['entityIds'] as readonly string[] | undefined) ?? all;
  return ids.map((entityId) => JSON.stringify(entityId)).join(', ');
}
