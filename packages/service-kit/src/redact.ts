/**
 * The one place that says what never reaches a log. It works on the finished line, so that depth,
 * arrays and errors quoted from a library make no difference: a line that may hold anything of it is read
 * again, what stands under a telling name is masked whole, and every text is searched for what tells by its
 * form. Lines that hold nothing of it, nearly all, cost one look.
 */
const REDACTED = '[redacted]';

/**
 * Names of fields and headers, without case, dashes and underscores; also as the end of a longer
 * name.
 */
const SENSITIVE_ENDS = [
  'email',
  'emailaddress',
  'firstname',
  'lastname',
  'givenname',
  'familyname',
  'fullname',
  'phone',
  'phonenumber',
  'authorization',
  'cookie',
  'cookie2',
  'password',
  'passwd',
  'pwd',
  'passphrase',
  'secret',
  'token',
  'jwt',
  'assertion',
  'credential',
  'apikey',
  'accountkey',
  'accesskey',
  'sharedkey',
  'subscriptionkey',
  'primarykey',
  'secondarykey',
  'privatekey',
  'signingkey',
  'signature',
  'sig',
  'connection',
  'connectionstring',
];
const SENSITIVE_NAME = new RegExp(`(?:${SENSITIVE_ENDS.join('|')})s?$`);
/** They end like these, and are places in a list, a lock that will soon be over, or counted. */
const HARMLESS_NAMES: ReadonlySet<string> = new Set([
  'continuationtoken',
  'locktoken',
  'connections',
  'signatures',
]);

/** Before an equals sign in a text: connection strings, queries, forms. */
const SECRET_PARTS =
  'SharedAccessKey|AccountKey|SharedAccessSignature|sig|signature|(?:sas)?token|(?:client)?secret|assertion|' +
  'pass(?:word|wd|phrase)|pwd|api[-_]?key';
const PERSONAL_PARTS = 'e-?mail|phone[-_]?(?:number)?|first[-_]?name|last[-_]?name';
/** Stand before a space in a text. */
const SCHEMES = 'Bearer|DPoP|Negotiate|SharedKey(?:Lite)?|SharedAccessSignature';
const SECRET_HEADERS =
  '(?:proxy-)?authorization|(?:set-)?cookie2?|x-api-key|api-key|ocp-apim-subscription-key';

const VALUE = `("[^"]*"|'[^']*'|[^;&"'\\s,<>\\\\]+)`;
const PREFIX = '(?:(?<![A-Za-z0-9])|(?<=%[0-9A-F]{2}))((?:[A-Za-z0-9]{1,30}[._-]){0,4}';
const SECRET_PART = new RegExp(`${PREFIX}(?:${SECRET_PARTS}))(\\s?[=:]\\s?|%3D)${VALUE}`, 'gi');
/** Not before a colon: there stands what is wrong with it. */
const PERSONAL_PART = new RegExp(`${PREFIX}(?:${PERSONAL_PARTS}))(\\s?=\\s?|%3D)${VALUE}`, 'gi');
const CODE = /([?&]code=)[^&\s"'#]+/gi;
const SCHEME = new RegExp(`\\b(${SCHEMES})((?:\\s|%20|\\+)+)[^\\s"'\\\\,;]+`, 'gi');
/** Not what is a word: a password with its name in Base64 has some other character in it. */
const BASIC = /\b(Basic )(?=[A-Za-z]*[0-9+/=]|[a-z]*[A-Z])[A-Za-z0-9+/=]{4,}/g;
const HEADER = new RegExp(`\\b(${SECRET_HEADERS})(\\\\*["']?\\s*[:=]\\s*)[^\\r\\n]+`, 'gi');
/** Signed (three parts) or encrypted (five). */
const JWT =
  /(?:(?<![A-Za-z0-9_-])|(?<=%[0-9A-F]{2}))eyJ[A-Za-z0-9_-]{2,}(?:\.[A-Za-z0-9_-]*){1,4}/g;
/** Matches up to the last at sign before the path. */
const USER_OF_URL = /([a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/?#"'<>]+@/gi;
const MAIL =
  /[A-Za-z0-9._%+'-]{1,64}(?:@|%40)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,6}\.[A-Za-z]{2,24}\b/g;
/**
 * A name and what begins a value of its own: a quote, a bracket, a digit. JSON may be quoted in
 * JSON.
 */
const FIELD_IN_TEXT =
  /([A-Za-z_][\w-]{0,60})(?:\\*["'])?\s*[:=]\s*(?=\\*["'`]|[[{]|-?\d[\d.]*(?:[\s,;)}\]]|$))/g;
const PRIVATE_KEY =
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[^]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g;

/** What any of the above needs. */
const SUSPECT =
  /@|%40|eyJ|mail|name|phone|authorization|cookie|pass|pwd|secret|token|jwt|assertion|credential|key|sig|connection|code=|bearer|basic |dpop|negotiate/i;

/** Returns a line of JSON without what must not be in a log. */
export function redactLine(line: string): string {
  if (!SUSPECT.test(line)) return line;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // What is no JSON may hold the same all the same.
    return redactText(line);
  }
  const redacted = JSON.stringify(redactValue(value));
  return line.endsWith('\n') ? `${redacted}\n` : redacted;
}

function redactValue(value: unknown): unknown {
  if (typeof value === 'string') return redactText(value);
  if (Array.isArray(value)) return redactList(value);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, inner]) => [
    redactText(name),
    isSensitive(name) ? mask(inner) : redactValue(inner),
  ]);
  return redactNamed(Object.fromEntries(entries) as Record<string, unknown>);
}

/** Redacts headers as Node has them raw: names and values in turn. */
function redactList(list: readonly unknown[]): unknown[] {
  return list.map((value, index) => {
    const before = index === 0 ? undefined : list[index - 1];
    return typeof before === 'string' && isSensitive(before) ? mask(value) : redactValue(value);
  });
}

/** Redacts `{"name":"email","value":…}` and its like. */
function redactNamed(fields: Record<string, unknown>): Record<string, unknown> {
  const isNamed = ['name', 'key', 'field', 'header'].some((label) => {
    const name = fields[label];
    return typeof name === 'string' && isSensitive(name);
  });
  return isNamed && 'value' in fields ? { ...fields, value: mask(fields['value']) } : fields;
}

/** Whether something is there may be said. */
function mask(value: unknown): unknown {
  return value === null || typeof value === 'boolean' ? value : REDACTED;
}

function isSensitive(name: string): boolean {
  const plain = name.replaceAll(/[^A-Za-z0-9]/g, '').toLowerCase();
  return !HARMLESS_NAMES.has(plain) && SENSITIVE_NAME.test(plain);
}

function redactText(text: string): string {
  if (!SUSPECT.test(text)) return text;
  return redactFields(text)
    .replace(PRIVATE_KEY, REDACTED)
    .replace(HEADER, `$1$2${REDACTED}`)
    .replace(USER_OF_URL, `$1${REDACTED}@`)
    .replace(SECRET_PART, `$1$2${REDACTED}`)
    .replace(PERSONAL_PART, `$1$2${REDACTED}`)
    .replace(CODE, `$1${REDACTED}`)
    .replace(SCHEME, `$1$2${REDACTED}`)
    .replace(BASIC, `$1${REDACTED}`)
    .replace(JWT, REDACTED)
    .replace(MAIL, REDACTED);
}

/** Fields where a text quotes JSON, however often escaped, or prints an object. */
function redactFields(text: string): string {
  let redacted = '';
  let done = 0;
  FIELD_IN_TEXT.lastIndex = 0;
  for (let match = FIELD_IN_TEXT.exec(text); match !== null; match = FIELD_IN_TEXT.exec(text)) {
    const [found, name = ''] = match;
    if (!isSensitive(name)) continue;
    const from = match.index + found.length;
    const { quote, end } = valueAt(text, from);
    redacted += `${text.slice(done, from)}${quote}${REDACTED}${quote}`;
    done = end;
    FIELD_IN_TEXT.lastIndex = end;
  }
  return redacted + text.slice(done);
}

/** Finds where the value ends that begins at a place, and in which quotes it stands. */
function valueAt(text: string, from: number): { quote: string; end: number } {
  const quote = quoteAt(text, from);
  if (quote !== undefined) return { quote, end: endOfQuoted(text, { from, quote }) };
  if (text[from] === '{' || text[from] === '[') return { quote: '', end: endOfBracket(text, from) };
  NUMBER.lastIndex = from;
  return { quote: '', end: from + (NUMBER.exec(text)?.[0].length ?? 0) };
}

const QUOTE = /\\*["'`]/y;
const NUMBER = /-?[\d.]+/y;

function quoteAt(text: string, at: number): string | undefined {
  QUOTE.lastIndex = at;
  return QUOTE.exec(text)?.[0];
}

function endOfQuoted(
  text: string,
  { from, quote }: { readonly from: number; readonly quote: string },
): number {
  let at = text.indexOf(quote, from + quote.length);
  // One that is escaped once more is inside.
  while (at > 0 && text[at - 1] === '\\') at = text.indexOf(quote, at + quote.length);
  return at < 0 ? text.length : at + quote.length;
}

/** What is quoted inside is passed over; without its end, all the rest is inside. */
function endOfBracket(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at += 1) {
    const char = text[at];
    // An apostrophe is a quote only where a text can begin.
    const isQuote =
      char === '"' || char === '\\' || (char === "'" && /[:,[{(\s]/.test(text[at - 1] ?? ''));
    const quote = isQuote ? quoteAt(text, at) : undefined;
    if (quote !== undefined) at = endOfQuoted(text, { from: at, quote }) - 1;
    if (char === '{' || char === '[') depth += 1;
    if (char === '}' || char === ']') depth -= 1;
    if (depth === 0) return at + 1;
  }
  return text.length;
}
