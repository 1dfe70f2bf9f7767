import { assertNever, encodeVector, type VersionVector } from '@tandem/core';
import type {
  CreateOutcome,
  CustomerOutcome,
  CustomerRecord,
} from '../customers/customer-service.ts';
import { ProblemError } from '../http/problem.ts';
import type { Violation } from '../validation/violation.ts';
import { formatEntityTag } from '../preconditions/entity-tag.ts';

/** What the outcome of a write is to a client; undefined when it was written. */
export function problemOfOutcome(
  outcome: CustomerOutcome | CreateOutcome,
  whyNeverMatched?: string,
): ProblemError | undefined {
  switch (outcome.kind) {
    case 'created':
    case 'replayed':
    case 'replaced':
    case 'unchanged':
    case 'deleted':
      return undefined;
    case 'not-found':
      return customerNotFound();
    case 'key-reused':
      return new ProblemError('key-reused', {
        detail: 'The Idempotency-Key was used with another body: take a new key.',
      });
    case 'key-spent':
      return new ProblemError('key-spent', {
        detail: 'The Idempotency-Key was used, and its customer deleted since: take a new key.',
      });
    case 'id-taken':
      return new ProblemError('id-taken', {
        detail:
          'The id that this Idempotency-Key makes is that of a customer which the key has not created: ' +
          'take a new key.',
      });
    case 'condition-failed':
      return preconditionFailed(outcome.current, { detail: whyNeverMatched });
    default:
      return assertNever(outcome);
  }
}

export function customerNotFound(): ProblemError {
  return new ProblemError('customer-not-found', {
    detail: 'It was never created, was deleted, or has not reached this region yet.',
  });
}

interface FailedPrecondition {
  /** What reading it again would not mend, or what differs. */
  readonly detail?: string | undefined;
  readonly errors?: readonly Violation[];
}

export function preconditionFailed(
  current: CustomerRecord | undefined,
  { detail, ...named }: FailedPrecondition = {},
): ProblemError {
  return new ProblemError('precondition-failed', {
    ...named,
    detail:
      detail ??
      (current === undefined
        ? 'There is no such customer.'
        : 'The ETag of this answer is the current version: read it, and decide anew.'),
    headers: current === undefined ? {} : versionHeaders(current.version),
  });
}

function versionHeaders(version: VersionVector): Record<string, string> {
  return { etag: formatEntityTag(version), 'x-tandem-version': encodeVector(version) };
}
