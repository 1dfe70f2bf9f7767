import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

export interface SharedAccessKey {
  readonly name: string;
  readonly key: string;
}

export type AccessRight = 'Send' | 'Listen' | 'Manage';

/** A key and what it allows on the whole namespace. */
export interface SharedAccessRule extends SharedAccessKey {
  /** All of them by default. Manage includes the others. */
  readonly rights?: readonly AccessRight[];
}

export type SignatureVerdict =
  | {
      readonly kind: 'valid';
      readonly resource: string;
      readonly rule: SharedAccessRule;
      readonly expiresAtMs: number;
    }
  | { readonly kind: 'invalid'; readonly reason: string };

const PREFIX = 'SharedAccessSignature ';
/** Whole seconds, of this millennium at the latest: what else a number can be written as is no time. */
const EXPIRY = /^\d{1,12}$/;
const RESOURCE = /^(?:[a-z]+:\/\/)?([^/:]*|\[[^\]]*\])(?::\d+)?(\/[^?]*)?(?:\?.*)?$/i;
/** Whoever may use an entity may use its management node. */
const MANAGEMENT_SUFFIX = /\/\$management$/i;
const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);
const MS_PER_SECOND = 1_000;

const invalid = (reason: string): SignatureVerdict => ({ kind: 'invalid', reason });

function sign(key: string, text: string): Buffer {
  return createHmac('sha256', key).update(text, 'utf8').digest();
}

export function hasRight({ rights }: SharedAccessRule, right: AccessRight): boolean {
  return rights === undefined || rights.includes('Manage') || rights.includes(right);
}

/** The rule whose name and key a client has given, as SASL PLAIN does. */
export function findRule(
  rules: readonly SharedAccessRule[],
  { name, key }: SharedAccessKey,
): SharedAccessRule | undefined {
  const digest = (text: string) => createHash('sha256').update(text, 'utf8').digest();
  return rules.find((rule) => rule.name === name && timingSafeEqual(digest(rule.key), digest(key)));
}

/** The decoded fields of a token, or undefined when they are not well-formed. */
function readFields(token: string): Record<'sr' | 'sig' | 'se' | 'skn', string> | undefined {
  const fields = new Map(
    token
      .slice(PREFIX.length)
      .split('&')
      .map((field) => [field.slice(0, field.indexOf('=')), field.slice(field.indexOf('=') + 1)]),
  );
  const [sr, sig, se, skn] = ['sr', 'sig', 'se', 'skn'].map((name) => fields.get(name) ?? '');
  if (!sr || !sig || !se || !skn) return undefined;
  try {
    // The resource is signed in its encoded form.
    decodeURIComponent(sr);
    return { sr, se, sig: decodeURIComponent(sig), skn: decodeURIComponent(skn) };
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

/**
 * Returns true when a token for the resource is one for the path at the host. The port does not matter, and
 * all names of this machine's loopback are one.
 */
export function coversResource(resource: string, asked: { host: string; path: string }): boolean {
  const [, host = '', path = ''] = RESOURCE.exec(resource) ?? [];
  const nameOf = (text: string): string => {
    const name = /^(\[[^\]]*\]|[^:/]*)/.exec(text.toLowerCase())?.[1] ?? '';
    return LOOPBACK.has(name) ? 'localhost' : name;
  };
  const own = trim(path);
  const wanted = trim(asked.path);
  const isWithin = own === '' || wanted === own || wanted.startsWith(`${own}/`);
  return nameOf(host) === nameOf(asked.host) && isWithin;
}

const trim = (path: string): string =>
  path
    .replace(/^\/+|\/+$/g, '')
    .replace(MANAGEMENT_SUFFIX, '')
    .toLowerCase();

/** Checks the signature, key name and expiry of a shared access signature. */
export function verifySignature(
  token: string,
  { rules, nowMs }: { rules: readonly SharedAccessRule[]; nowMs: number },
): SignatureVerdict {
  if (!token.startsWith(PREFIX)) {
    return invalid('MalformedToken: The token is not a shared access signature.');
  }
  const fields = readFields(token);
  if (fields === undefined) {
    return invalid('MalformedToken: The token lacks one of the fields sr, sig, se, skn.');
  }
  const named = rules.filter(({ name }) => name === fields.skn);
  if (named.length === 0) return invalid('InvalidSignature: The token has an unknown key name.');
  const given = Buffer.from(fields.sig, 'base64');
  const rule = named.find(({ key }) => {
    const expected = sign(key, `${fields.sr}\n${fields.se}`);
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
  if (rule === undefined) return invalid('InvalidSignature: The token has an invalid signature.');
  if (!EXPIRY.test(fields.se)) {
    return invalid('MalformedToken: The expiry of the token is no number of seconds.');
  }
  const expiresAtMs = Number(fields.se) * MS_PER_SECOND;
  if (!(expiresAtMs > nowMs)) return invalid('ExpiredToken: The token is expired.');
  return { kind: 'valid', resource: decodeURIComponent(fields.sr), rule, expiresAtMs };
}
