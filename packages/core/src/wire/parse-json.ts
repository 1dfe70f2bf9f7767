import type { TerminalError } from '../errors.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Returns what the JSON says. Throws `fault` for what is no UTF-8 or no JSON; a byte order mark is none, for what
 * is archived as it came is to be read alike by everybody (RFC 8259, 8.1).
 */
export function parseJson(bytes: Uint8Array, fault: (cause: unknown) => TerminalError): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    throw fault(cause);
  }
}
