import type { Caller } from '../auth/token-verifier.ts';
import { ProblemError } from '../http/problem.ts';

/**
 * A key is its caller's: two callers that choose the same one do not meet. The draft has it in
 * quotation marks, most clients send it without: it is the same key. Throws `validation-failed` for one
 * of nothing, which a client sends that has failed to make one: all of its creations would be the same.
 */
export function readIdempotencyKey(
  header: string | undefined,
  caller: Caller | undefined,
): string | undefined {
  if (header === undefined) return undefined;
  const key = header.trim().replace(/^"(.*)"$/, '$1');
  if (key === '') throw keyEmpty();
  return caller === undefined ? key : `${caller.subject}\n${key}`;
}

function keyEmpty(): ProblemError {
  const message = 'must hold a key of its own for each creation, such as a UUID';
  return new ProblemError('validation-failed', {
    detail: 'The Idempotency-Key is empty.',
    errors: [{ in: 'header', field: '/idempotency-key', rule: 'minLength', message }],
  });
}
