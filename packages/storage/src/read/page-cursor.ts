import { hash } from 'node:crypto';
import { TerminalError } from '@tandem/core';

/** Where a page ended: the last row key read, in a bucket. */
export interface PagePosition {
  readonly bucket: string;
  readonly rowKey: string;
}

/** What a cursor belongs to. It is refused with any other. */
export interface CursorScope {
  readonly kind: string;
  readonly buckets: readonly string[];
  /** Names the filter of the list; empty without one. */
  readonly filter: string;
}

const VERSION = 'p2';
/** A page may end behind a row that somebody else wrote, with any key. */
const POSITION = /^([0-9a-f]{2}):(.*)$/s;

export function encodeCursor(scope: CursorScope, { bucket, rowKey }: PagePosition): string {
  return sealCursor(`${bucket}:${rowKey}`, sealOf(scope));
}

/** Throws `CURSOR_INVALID` for a text that `encodeCursor` did not make for this table and filter. */
export function decodeCursor(cursor: string, scope: CursorScope): PagePosition {
  const text = unsealCursor(cursor, sealOf(scope));
  const [, bucket, rowKey] = POSITION.exec(text ?? '') ?? [];
  if (bucket !== undefined && rowKey !== undefined && scope.buckets.includes(bucket)) {
    return { bucket, rowKey };
  }
  throw new TerminalError(
    'CURSOR_INVALID',
    'The cursor is not one that this list gave out, for this filter. Begin again without one.',
  );
}

function sealOf({ kind, filter }: CursorScope): string {
  return `${VERSION}:${kind}:${filter}`;
}

/** 64 bits: no slip of a hand or of a copy passes, nor a cursor of another list. */
const CHECK_LENGTH = 11;
const CURSOR = /^[A-Za-z0-9_-]+$/;

/**
 * Returns a position as an opaque text, bound to what it is a position in. The check has no secret, since the
 * regions share none and each is to take the cursors of the others: whoever forges one only chooses
 * where to read on in a list that is open to him anyway.
 */
export function sealCursor(position: string, scope: string): string {
  return Buffer.from(position).toString('base64url') + checkOf(position, scope);
}

/** Returns undefined for a text that `sealCursor` did not make for this scope. */
export function unsealCursor(cursor: string, scope: string): string | undefined {
  if (!CURSOR.test(cursor)) return undefined;
  const position = Buffer.from(cursor.slice(0, -CHECK_LENGTH), 'base64url').toString('utf8');
  return sealCursor(position, scope) === cursor ? position : undefined;
}

function checkOf(position: string, scope: string): string {
  return hash('sha256', `${scope}\n${position}`, 'base64url').slice(0, CHECK_LENGTH);
}
