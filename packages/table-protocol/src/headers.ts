import { TableError } from './table-error.ts';

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

/**
 * A place in a listing as an opaque header, in the service's own form: a version, the length of the text
 * behind it, the key in base64 with other signs for those that an address would need encoded. It is never empty,
 * since a client takes an empty one for none; it names keys only, so it holds in every region.
 */
export function encodeContinuation(key: string): string {
  const text = Buffer.from(key, 'utf8')
    .toString('base64')
    .replace(/[+/=]/g, (sign) => SIGNS[sign] ?? sign);
  return `1!${text.length}!${text}`;
}

const SIGNS: Readonly<Record<string, string>> = { '+': '*', '/': '_', '=': '-' };
const BASE64: Readonly<Record<string, string>> = { '*': '+', _: '/', '-': '=' };
const TOKEN = /^1!\d{1,5}!([A-Za-z0-9*_-]*)$/;

/** Throws `InvalidInput` for what `encodeContinuation` did not make. */
export function decodeContinuation(token: string): string {
  const text = TOKEN.exec(token)?.[1] ?? '';
  const base64 = text.replace(/[*_-]/g, (sign) => BASE64[sign] ?? sign);
  const key = Buffer.from(base64, 'base64').toString('utf8');
  if (encodeContinuation(key) === token) return key;
  throw new TableError('InvalidInput', 'A continuation token is sent back as it was given.');
}
