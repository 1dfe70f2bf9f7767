import { TableError } from './table-error.ts';

/**
 * Returns the entity tag of a row: its Timestamp, and behind it, where several regions wrote the row, a text of
 * their vector, since a merge can change a row without a newer stamp. It is weak, as the service's is.
 */
export function entityTagOf(timestamp: string, suffix = ''): string {
  const tail = suffix === '' ? '' : `~${suffix}`;
  return `W/"datetime'${encodeURIComponent(timestamp)}'${tail}"`;
}

export type IfMatch =
  | { readonly kind: 'none' }
  | { readonly kind: 'any' }
  | { readonly kind: 'tag'; readonly tag: string };

/** Throws `InvalidInput` for what is no weak entity tag; one that matches nothing is for the store to find. */
export function parseIfMatch(header: string | undefined): IfMatch {
  if (header === undefined || header === '') return { kind: 'none' };
  if (header === '*') return { kind: 'any' };
  if (/^[Ww]\/"[\u0021\u0023-\u007E]*"$/.test(header)) return { kind: 'tag', tag: header };
  throw new TableError('InvalidInput', `The etag value '${header.slice(0, 100)}' is malformed.`);
}
