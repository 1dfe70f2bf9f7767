import { ProblemError } from '../http/problem.ts';
import type { Violation } from '../validation/violation.ts';

/** For a filter; empty without the parameter. The pattern lets days through that there are not. */
export function readChangedSince(
  text: string | undefined,
  part: Violation['in'],
): { readonly changedSinceMs?: number } {
  if (text === undefined) return {};
  const changedSinceMs = Date.parse(text);
  if (!Number.isNaN(changedSinceMs)) return { changedSinceMs };
  const message = 'must be a time that there is, as 2026-11-22T10:00:00Z';
  throw new ProblemError('validation-failed', {
    detail: 'Each entry of "errors" names a field and the rule that it breaks.',
    errors: [{ in: part, field: '/changedSince', rule: 'format', message }],
  });
}
