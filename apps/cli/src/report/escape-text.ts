/**
 * What a program that shows texts of others must not hand to a terminal: control characters, which move
 * the cursor or set the title, format characters, which turn the direction of what follows or hide, line
 * and paragraph separators, and halves of surrogate pairs. The joiners that words of some languages are
 * written with are left.
 */
const UNSHOWABLE = /(?![\u200C\u200D])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Returns a value with escapes for all that is not to be shown, line breaks among it: one line
 * stays one.
 */
export function escapeValue(text: string): string {
  return text.replace(UNSHOWABLE, (found) => SHORT[found] ?? escapesOf(found));
}

/** Returns a text of several lines, escaped but for the breaks between them. */
export function escapeLines(text: string): string {
  return text.replace(UNSHOWABLE, (found) =>
    found === '\n' ? found : (SHORT[found] ?? escapesOf(found)),
  );
}

/**
 * Returns an error, which may quote a value with a line break: what follows must not pass for a
 * line of its own.
 */
export function indentRest(text: string): string {
  return text.replaceAll('\n', '\n  ');
}

/**
 * Returns JSON on one line for whatever reads it line by line: `JSON.stringify` leaves U+0085, U+2028 and U+2029
 * as they are, which many take for the end of a line, and the other characters that a terminal obeys.
 */
export function toJsonLine(value: unknown): string {
  return JSON.stringify(value, toJson).replace(UNSHOWABLE, escapesOf);
}

/** JSON has no whole numbers beyond 2^53, and no bytes. */
function toJson(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value;
}

/** Escapes by UTF-16 units, as JSON has it. */
function escapesOf(text: string): string {
  return Array.from(
    { length: text.length },
    (_, index) => `\\u${text.charCodeAt(index).toString(16).padStart(4, '0')}`,
  ).join('');
}
