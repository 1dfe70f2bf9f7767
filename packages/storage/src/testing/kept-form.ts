// How what a release wrote is kept as JSON, with nothing lost: maps, integers of 64 bits, bytes and odd numbers too.

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

const inOrder = (a: Json, b: Json): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);

/** Returns the form that is kept; members that are undefined are left out, as entities leave out what they have not. */
export function plainOf(value: unknown): Json {
  if (typeof value === 'bigint') return { $int64: String(value) };
  if (typeof value === 'number' && !Number.isFinite(value)) return { $double: String(value) };
  if (value instanceof Uint8Array) return { $hex: Buffer.from(value).toString('hex') };
  if (value instanceof Map) return { $map: [...value].map(plainOf).toSorted(inOrder) };
  if (Array.isArray(value)) return value.map(plainOf);
  if (typeof value !== 'object') return value as Json;
  const members = Object.entries(value ?? {}).filter(([, member]) => member !== undefined);
  if (value === null) return null;
  return Object.fromEntries(members.map(([name, member]) => [name, plainOf(member)]));
}

/** Returns what `plainOf` was given. */
export function valueOf(kept: unknown): unknown {
  if (Array.isArray(kept)) return kept.map(valueOf);
  if (typeof kept !== 'object' || kept === null) return kept;
  const [[mark, of] = ['', undefined]] = Object.entries(kept);
  if (mark === '$int64') return BigInt(String(of));
  if (mark === '$double') return Number(of);
  if (mark === '$hex') return new Uint8Array(Buffer.from(String(of), 'hex'));
  if (mark === '$map') return new Map(valueOf(of) as [unknown, unknown][]);
  return Object.fromEntries(Object.entries(kept).map(([name, member]) => [name, valueOf(member)]));
}
