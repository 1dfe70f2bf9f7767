import { TerminalError } from '@tandem/core';
import { sealCursor, unsealCursor } from './sealed-cursor.ts';

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
