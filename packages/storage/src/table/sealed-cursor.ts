import { hash } from 'node:crypto';

/** 64 bits: no slip of a hand or of a copy passes, nor a cursor of another list. */
const CHECK_LENGTH = 11;
const CURSOR = /^[A-Za-z0-9_-]+$/;

/**
 * A position as an opaque text, bound to what it is a position in. The check has no secret, since the
 * regions share none and each is to take the cursors of the others: whoever forges one only chooses
 * where to read on in a list that is open to him anyway.
 */
export function sealCursor(position: string, scope: string): string {
  return Buffer.from(position).toString('base64url') + checkOf(position, scope);
}

/** Undefined for a text that `sealCursor` did not make for this scope. */
export function unsealCursor(cursor: string, scope: string): string | undefined {
  if (!CURSOR.test(cursor)) return undefined;
  const position = Buffer.from(cursor.slice(0, -CHECK_LENGTH), 'base64url').toString('utf8');
  return sealCursor(position, scope) === cursor ? position : undefined;
}

function checkOf(position: string, scope: string): string {
  return hash('sha256', `${scope}\n${position}`, 'base64url').slice(0, CHECK_LENGTH);
}
