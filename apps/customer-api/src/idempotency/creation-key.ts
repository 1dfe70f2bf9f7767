import { createHash } from 'node:crypto';
import type { CustomerBody } from '../schemas/customer.ts';

/** A constant of this product. Never change it: repeated requests would make second customers. */
const NAMESPACE = Buffer.from('6f1d2c0b9d0c4f6aa3f15a1f4c0e7d52', 'hex');
const VERSION_5 = 0x50;
const VARIANT = 0x80;

/** A name-based UUID (RFC 9562, version 5): in every region the same one for the same key. */
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
