// Texts that hold characters which nobody sees: those that people paste into settings, and lines for many readers.

/**
 * Is a setting as people paste it: with a line end behind, in quotes, with a byte order mark, with a character in it
 * that nobody sees. What changes nothing is taken away; what is left is named by its number. Every setting comes
 * through here, whether from the environment, a table or a file.
 */
export type PastedText =
  | { readonly kind: 'text'; readonly text: string }
  /** Completes "it …"; never quotes the text, which may be a secret. */
  | { readonly kind: 'unreadable'; readonly problem: string };

/** White space, and what has neither width nor meaning at an end: controls, byte order marks, joiners. */
const AROUND = /^[\s\p{Cc}\p{Cf}]+|[\s\p{Cc}\p{Cf}]+$/gu;
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\uFFFD]|[^\P{Zs} ]/u;
/** Word processors make the curly ones. */
const QUOTES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ["'", "'"],
  ['`', '`'],
  ['“', '”'],
  ['‘', '’'],
  ['„', '“'],
]);

export function readPastedText(given: string): PastedText {
  const unwrapped = unwrapPastedText(given);
  if (unwrapped.kind === 'unreadable') return unwrapped;
  const { text } = unwrapped;
  const unseen = UNSEEN.exec(text);
  if (unseen === null) return unwrapped;
  const [character] = unseen;
  const code = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
  return unreadable(`holds a character that nobody sees, U+${code}, at place ${unseen.index + 1}`);
}

/** Only takes away what is around a text that has a form of its own, such as JSON, whose parts are read one by one. */
export function unwrapPastedText(given: string): PastedText {
  if (given.includes('\0')) return unreadable('was saved as UTF-16: save it as UTF-8');
  // What could not be read as UTF-8 was replaced by this.
  if (given.startsWith('\uFFFD')) return unreadable('was not saved as UTF-8: save it as UTF-8');
  return { kind: 'text', text: withoutQuotes(given.replace(AROUND, '')) };
}

function withoutQuotes(text: string): string {
  const close = QUOTES.get(text[0] ?? '');
  const isQuoted = text.length > 1 && close !== undefined && text.endsWith(close);
  // A quote inside means that those around belong to what is in it, as in JSON.
  const inner = text.slice(1, -1);
  if (!isQuoted || inner.includes(close) || inner.includes(text[0]!)) return text;
  return inner.replace(AROUND, '');
}

function unreadable(problem: string): PastedText {
  return { kind: 'unreadable', problem };
}

/**
 * Returns a connection string (`Name=value;…`) with the names as its readers spell them, in any case as they
 * came, without blanks and empty parts, and a shared access signature without the question mark of a URL.
 */
export function tidyConnectionString(text: string, names: readonly string[]): string {
  const spelt = new Map(names.map((name) => [name.toLowerCase(), name]));
  const parts = text.split(';').flatMap((part) => {
    const at = part.indexOf('=');
    if (at < 0) return part.trim() === '' ? [] : [part.trim()];
    const given = part.slice(0, at).trim();
    const name = spelt.get(given.toLowerCase()) ?? given;
    const value = withoutQuotes(part.slice(at + 1).trim());
    return [`${name}=${name === SIGNATURE ? value.replace(/^\?/, '') : value}`];
  });
  return parts.join(';');
}

const SIGNATURE = 'SharedAccessSignature';

/** Returns the value of a part of a connection string whose names are spelt so. */
export function partOfConnectionString(text: string, name: string): string | undefined {
  const part = text.split(';').find((one) => one.startsWith(`${name}=`));
  return part?.slice(name.length + 1);
}

/** The names in connection strings of Service Bus. */
export const SERVICE_BUS_PARTS = [
  'Endpoint',
  'SharedAccessKeyName',
  'SharedAccessKey',
  SIGNATURE,
  'EntityPath',
  'TransportType',
  'UseDevelopmentEmulator',
] as const;

/** The names in connection strings of storage accounts. */
export const STORAGE_PARTS = [
  'DefaultEndpointsProtocol',
  'AccountName',
  'AccountKey',
  SIGNATURE,
  'EndpointSuffix',
  'BlobEndpoint',
  'FileEndpoint',
  'QueueEndpoint',
  'TableEndpoint',
  'TableSecondaryEndpoint',
  'UseDevelopmentStorage',
  'DevelopmentStorageProxyUri',
] as const;

/**
 * Finds what some reader takes for the end of a line, or a terminal for a command, and JSON leaves as it is:
 * DEL, C1 with its NEXT LINE, LINE SEPARATOR and PARAGRAPH SEPARATOR.
 */
const LINE_BREAKERS = /[\u007f-\u009f\u2028\u2029]/g;

/** Returns a text of JSON that means the same, and is one line for every reader. */
export function escapeLineBreakers(json: string): string {
  return json.replace(LINE_BREAKERS, escapeOf);
}

function escapeOf(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
