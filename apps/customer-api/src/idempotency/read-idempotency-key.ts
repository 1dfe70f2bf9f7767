import type { Caller } from '../auth/token-verifier.ts';

/**
 * A key is its caller's: two callers that choose the same one do not meet. The draft has it in
 * quotation marks, most clients send it without: it is the same key.
 */
export function readIdempotencyKey(
  header: string | undefined,
  caller: Caller | undefined,
): string | undefined {
  const key = header?.trim().replace(/^"(.+)"$/, '$1');
  if (key === undefined || key === '') return undefined;
  return caller === undefined ? key : `${caller.subject}\n${key}`;
}
