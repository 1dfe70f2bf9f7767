import { deflateSync, inflateSync } from 'node:zlib';
import { TerminalError } from '../errors.ts';
import { DEFLATED_WIRE_VERSION } from './versions.ts';

/** A little more than what a set may take when it is written: no reader ever needs more memory for one. */
const PLAIN_BYTES_MAX = 256 * 1_024;
const START = `{"wire":${DEFLATED_WIRE_VERSION},`;
const HEAD_LENGTH_MAX = 48;
const HEAD = new RegExp(`^\\{"wire":${DEFLATED_WIRE_VERSION},"bytes":(\\d{1,7}),"deflated":"`);
const TAIL = '"}';
/** Ten change sets in one take a tenth of their bytes at any level, and this one a few microseconds. */
const LEVEL = 1;

/** What comes back is the same set in fewer bytes, or the same bytes when these are the fewest. */
export function deflateChangeSet(plain: Uint8Array): Uint8Array {
  if (plain.length > PLAIN_BYTES_MAX) return plain;
  const deflated = deflateSync(plain, { level: LEVEL }).toString('base64');
  const text = `${START}"bytes":${plain.length},"deflated":"${deflated}${TAIL}`;
  return text.length < plain.length ? new TextEncoder().encode(text) : plain;
}

/** The plain encoding of a set, deflated or not. Throws `CHANGE_UNDECODABLE` and `CHANGE_TOO_LARGE`. */
export function inflateChangeSet(encoded: Uint8Array): Uint8Array {
  const head = headOf(encoded);
  if (head === undefined) return encoded;
  const { bytes, length } = head;
  if (bytes > PLAIN_BYTES_MAX) {
    throw new TerminalError(
      'CHANGE_TOO_LARGE',
      `The deflated change set says that it takes ${bytes} bytes, the limit is ${PLAIN_BYTES_MAX}. ` +
        'No region writes as much: find who did.',
      { details: { bytes } },
    );
  }
  const plain = inflate(textOf(encoded.subarray(length, -TAIL.length)), bytes);
  if (plain.length !== bytes || textOf(encoded.subarray(-TAIL.length)) !== TAIL) {
    throw damaged('it is not what its head says');
  }
  return plain;
}

/** What the set takes once it is inflated, as its head says; nothing else of it is looked at. */
export function plainBytesOf(encoded: Uint8Array): number {
  return headOf(encoded)?.bytes ?? encoded.length;
}

function headOf(
  encoded: Uint8Array,
): { readonly bytes: number; readonly length: number } | undefined {
  const start = textOf(encoded.subarray(0, HEAD_LENGTH_MAX));
  const head = start.startsWith(START) ? HEAD.exec(start) : null;
  return head === null ? undefined : { bytes: Number(head[1]), length: head[0].length };
}

function inflate(base64: string, bytes: number): Uint8Array {
  try {
    const maxOutputLength = Math.max(1, bytes);
    const plain = inflateSync(Buffer.from(base64, 'base64'), { maxOutputLength });
    return new Uint8Array(plain.buffer, plain.byteOffset, plain.byteLength);
  } catch (cause) {
    throw damaged('it cannot be inflated', cause);
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

function damaged(what: string, cause?: unknown): TerminalError {
  const message = `The message is no deflated change set: ${what}.`;
  return new TerminalError('CHANGE_UNDECODABLE', message, { cause });
}
