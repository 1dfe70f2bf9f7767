import { createHmac, timingSafeEqual } from 'node:crypto';

export interface SharedAccessKey {
  readonly name: string;
  readonly key: string;
}

export type SignatureVerdict =
  | { readonly kind: 'valid'; readonly resource: string }
  | { readonly kind: 'invalid'; readonly reason: string };

const PREFIX = 'SharedAccessSignature ';

const invalid = (reason: string): SignatureVerdict => ({ kind: 'invalid', reason });

function sign(key: string, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'utf8').digest();
}

/** Checks the signature, key name and expiry of a shared access signature. */
export function verifySignature(
  token: string,
  { sharedAccessKey, nowMs }: { sharedAccessKey: SharedAccessKey; nowMs: number },
): SignatureVerdict {
  if (!token.startsWith(PREFIX)) {
    return invalid('MalformedToken: The token is not a shared access signature.');
  }
  const fields = new Map(
    token
      .slice(PREFIX.length)
      .split('&')
      .map((field) => [field.slice(0, field.indexOf('=')), field.slice(field.indexOf('=') + 1)]),
  );
  const [sr, sig, se, skn] = ['sr', 'sig', 'se', 'skn'].map((name) => fields.get(name) ?? '');
  if (!sr || !sig || !se || !skn) {
    return invalid('MalformedToken: The token lacks one of the fields sr, sig, se, skn.');
  }
  if (decodeURIComponent(skn) !== sharedAccessKey.name) {
    return invalid('InvalidSignature: The token has an unknown key name.');
  }
  const expected = sign(sharedAccessKey.key, `${sr}\n${se}`);
  const given = Buffer.from(decodeURIComponent(sig), 'base64');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    return invalid('InvalidSignature: The token has an invalid signature.');
  }
  if (!(Number(se) * 1_000 > nowMs)) return invalid('ExpiredToken: The token is expired.');
  return { kind: 'valid', resource: decodeURIComponent(sr) };
}
