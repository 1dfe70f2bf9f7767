import { readInstantMs } from '@tandem/core';
import { ProblemError } from '../http/problem.ts';
import type { Violation } from '../validation/violation.ts';

/** For a filter; empty without the parameter. The format lets days through that do not exist. */
export function readChangedSince(
  text: string | undefined,
  part: Violation['in'],
): { readonly changedSinceMs?: number } {
  if (text === undefined) return {};
  const changedSinceMs = readInstantMs(text);
  if (changedSinceMs !== undefined) return { changedSinceMs };
  const message = 'must be a time that there is, as 2026-11-22T10:00:00Z';
  throw new ProblemError('validation-failed', {
    detail: 'Each entry of "errors" names a field and the rule that it breaks.',
    errors: [{ in: part, field: '/changedSince', rule: 'format', message }],
  });
}
