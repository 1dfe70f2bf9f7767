import { TerminalError } from '@tandem/core';

/** Where a page ended: the last row key read, in a bucket. */
export interface PagePosition {
  readonly bucket: string;
  readonly rowKey: string;
}

const VERSION = 'p1';
const POSITION = /^p1:([A-Za-z0-9]+):([0-9a-f]{2}):([A-Za-z0-9._=-]*)$/;

export function encodeCursor(kind: string, { bucket, rowKey }: PagePosition): string {
  return Buffer.from(`${VERSION}:${kind}:${bucket}:${rowKey}`).toString('base64url');
}

/** Throws `CURSOR_INVALID` for a text that `encodeCursor` did not make for this kind and table. */
export function decodeCursor(
  cursor: string,
  table: { readonly kind: string; readonly buckets: readonly string[] },
): PagePosition {
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  const [, kind, bucket, rowKey] = POSITION.exec(text) ?? [];
  if (kind !== table.kind || bucket === undefined || rowKey === undefined) throw invalid();
  if (!table.buckets.includes(bucket) || encodeCursor(kind, { bucket, rowKey }) !== cursor) {
    throw invalid();
  }
  return { bucket, rowKey };
}

function invalid(): TerminalError {
  return new TerminalError(
    'CURSOR_INVALID',
    'The cursor is not one that this table gave out. Begin again without one.',
  );
}
