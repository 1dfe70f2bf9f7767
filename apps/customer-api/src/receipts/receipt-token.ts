import { decodeVector, encodeVector, type VersionVector } from '@tandem/core';
import { sealCursor, unsealCursor } from '@tandem/storage';

/** What a client keeps of a write, to ask later where it has been applied. */
export interface WriteReceipt {
  readonly version: VersionVector;
  /** On the wall clock of the process that answered: never before the write was committed. */
  readonly acknowledgedMs: number;
}

const TEXT = /^([0-9a-z]{1,11}):(.+)$/;

/** Opaque, and bound to the customer. */
export function encodeReceipt(
  customerId: string,
  { version, acknowledgedMs }: WriteReceipt,
): string {
  const text = `${Math.trunc(acknowledgedMs).toString(36)}:${encodeVector(version)}`;
  return sealCursor(text, scopeOf(customerId));
}

/** Undefined for a text that `encodeReceipt` did not make for this customer. */
export function decodeReceipt(customerId: string, receipt: string): WriteReceipt | undefined {
  const text = unsealCursor(receipt, scopeOf(customerId)) ?? '';
  const [, time = '', vector = ''] = TEXT.exec(text) ?? [];
  const version = decodeVector(vector);
  return version === undefined ? undefined : { version, acknowledgedMs: parseInt(time, 36) };
}

function scopeOf(customerId: string): string {
  return `r1:${customerId}`;
}
