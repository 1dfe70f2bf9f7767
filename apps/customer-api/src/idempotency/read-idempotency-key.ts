/** The draft has the key in quotation marks, most clients send it without: it is the same key. */
export function readIdempotencyKey(header: string | undefined): string | undefined {
  const key = header?.trim().replace(/^"(.+)"$/, '$1');
  return key === '' ? undefined : key;
}
