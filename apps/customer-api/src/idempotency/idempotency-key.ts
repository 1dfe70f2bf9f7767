import { createHash } from 'node:crypto';
import { ProblemError } from '../http/problem.ts';
import type { ApiCaller } from '../plugins/auth.ts';
import type { CustomerBody } from '../routes/customers-schema.ts';

/**
 * A key is its caller's: two callers that choose the same one do not meet. The draft has it in
 * quotation marks, most clients send it without: it is the same key. Throws `validation-failed` for one
 * of nothing, which a client sends that has failed to make one: all of its creations would be the same.
 */
export function readIdempotencyKey(
  header: string | undefined,
  caller: ApiCaller | undefined,
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

/** A constant of this product. Never change it: repeated requests would make second customers. */
const NAMESPACE = Buffer.from('6f1d2c0b9d0c4f6aa3f15a1f4c0e7d52', 'hex');
const VERSION_5 = 0x50;
const VARIANT = 0x80;

/** Returns a name-based UUID (RFC 9562, version 5): in every region the same one for the same key. */
export function customerIdOf(key: string): string {
  const hash = createHash('sha1').update(NAMESPACE).update(key).digest().subarray(0, 16);
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | VERSION_5, 6);
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | VARIANT, 8);
  const hex = hash.toString('hex');
  const ends = [0, 8, 12, 16, 20, 32];
  return ends
    .slice(1)
    .map((end, index) => hex.slice(ends[index], end))
    .join('-');
}

/** Two bodies that ask for the same customer have the same digest, however they are written. */
export function creationDigest(customer: CustomerBody): string {
  const { email, firstName = null, lastName = null, phoneNumber = null } = customer;
  const text = JSON.stringify([email, firstName, lastName, phoneNumber]);
  return createHash('sha256').update(text).digest('base64url');
}
