import { FIELDS, type Seen } from '../history/operation.ts';

/** What the JSON of a customer shows. Throws a SyntaxError when it is none. */
export function readSeen(
  text: string,
  etag: string | undefined,
): { readonly customer: string; readonly seen: Seen } {
  return seenOf(JSON.parse(text) as Readonly<Record<string, unknown>>, etag);
}

export function seenOf(
  body: Readonly<Record<string, unknown>>,
  etag: string | undefined,
): { readonly customer: string; readonly seen: Seen } {
  const values = FIELDS.map((field) => {
    const value = body[field];
    return [field, typeof value === 'string' ? value : null] as const;
  });
  return {
    customer: String(body['customerId']),
    seen: { kind: 'present', values: Object.fromEntries(values), etag },
  };
}
