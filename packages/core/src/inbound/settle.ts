import { isMessageFault } from '../arrival/refusal.ts';
import { AppError } from '../errors.ts';
import type { ChangeSet } from '../model/change-set.ts';
import type { Settlement } from '../model/settlement.ts';

/** Service Bus refuses longer ones. */
const DESCRIPTION_LENGTH_MAX = 1_024;

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

export interface FailedSet {
  /** Undefined when it could not be read. */
  readonly set?: ChangeSet;
  readonly error: AppError;
}

/**
 * What becomes of a message of `count` change sets of which some have failed for good: the others are
 * applied, so sending all of it again does no harm. The reason is that of the first; the description
 * names the entities first, since it is cut, and then what is wrong with them.
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

/** Of a set that was applied but for some of its changes, those. */
function namesOf({ set, error }: FailedSet): string {
  if (set === undefined) return 'one that cannot be read';
  const all = set.changes.map(({ entityId }) => entityId);
  const ids = (error.details['entityIds'] as readonly string[] | undefined) ?? all;
  return ids.map((entityId) => JSON.stringify(entityId)).join(', ');
}
