import { TableError } from './table-error.ts';

export type IfMatch =
  | { readonly kind: 'none' }
  | { readonly kind: 'any' }
  | { readonly kind: 'tag'; readonly tag: string };

type Headers = Readonly<Record<string, string | undefined>>;

/**
 * Returns what a write of one row asks to hold of it. Throws `InvalidInput` for what is no weak entity tag, since one
 * that matches nothing is for the store to find, and in the service's own words for a condition that such a write cannot
 * have: what is not held to must not be passed over.
 */
export function parseIfMatch(method: string, headers: Headers): IfMatch {
  const header = headers['if-match'];
  const isOfAbsence = headers['if-none-match'] !== undefined;
  if (isOfAbsence && header !== undefined) throw TableError.saying('InvalidInput', BOTH_CONDITIONS);
  if (method === 'POST') {
    // That the row is absent is what an insertion asks anyway.
    if (header === undefined) return { kind: 'none' };
    throw new TableError('InvalidInput', 'An insertion takes no If-Match.');
  }
  if (isOfAbsence) {
    const verb = method === 'DELETE' ? method : 'PUT';
    throw TableError.saying(
      'InvalidInput',
      // A merge is refused in the words of a replacement.
      `If-None-Match HTTP header cannot be specified for ${verb} operations.`,
    );
  }
  // An empty one is a version that its sender has lost, and no upsert.
  if (header === undefined) return { kind: 'none' };
  if (header === '*') return { kind: 'any' };
  if (/^[Ww]\/"[\u0021\u0023-\u007E]*"$/.test(header)) return { kind: 'tag', tag: header };
  throw TableError.saying(
    'InvalidInput',
    `The etag value '${header.slice(0, 100)}' specified in one of the request headers is not valid. Please make sure only one etag value is specified and is valid.`,
  );
}

const BOTH_CONDITIONS =
  'Both If-Match and If-None-Match HTTP headers cannot be specified at the same time. Please specify either one of the headers or none of them.';

/** Throws for a condition on what has no versions, a table. */
export function checkUnconditional(headers: Headers): void {
  if (headers['if-match'] === undefined && headers['if-none-match'] === undefined) return;
  throw TableError.saying(
    'InvalidInput',
    'If-Match or If-None-Match headers cannot be specified if the target type does not have etag properties defined.',
  );
}

const TUNNELLED: ReadonlySet<string> = new Set(['PUT', 'PATCH', 'MERGE', 'DELETE']);

/** Returns the verb that is meant: a client that cannot send one sends POST, and names it. */
export function verbOf(method: string, headers: Headers): string {
  const named = headers['x-http-method'];
  if (named === undefined) return method;
  if (method !== 'POST') throw new TableError('XMethodNotUsingPost');
  if (!TUNNELLED.has(named)) throw new TableError('XMethodIncorrectValue');
  return named;
}

/** Throws for a body that is compressed: it would be taken for what it is not. */
export function checkEncoding(headers: Headers): void {
  const encoding = (headers['content-encoding'] ?? '').trim().toLowerCase();
  if (encoding === '' || encoding === 'identity') return;
  throw new TableError('UnsupportedHeader', 'It is Content-Encoding: send the body as it is.');
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
