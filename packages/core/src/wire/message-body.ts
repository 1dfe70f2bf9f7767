import { AppError, TerminalError } from '../errors.ts';
import type { ChangeSet } from '../model/change-set.ts';
import type { ArchiveEntry } from '../ports/archive.ts';
import { decodeChangeSet, inflateChangeSet, plainBytesOf } from './change-set-bytes.ts';
import {
  decodeFragment,
  fragmentCountOf,
  isFragment,
  LARGE_SET_PLAIN_BYTES_MAX,
  largeHeadOf,
} from './large-set.ts';
import { PACK_WIRE_VERSION } from './versions.ts';

/**
 * Bounds what the change sets of one message may take together once they are inflated: who sends packs keeps to
 * half of it, and one set alone to less, unless it is a large one.
 */
export const MESSAGE_PLAIN_BYTES_MAX = 256 * 1_024;

export type ReadSet =
  | ({ readonly kind: 'set' } & ArchiveEntry)
  | { readonly kind: 'unreadable'; readonly encoded: Uint8Array; readonly error: AppError };

/**
 * Reads what is in the body of a message, be it one change set or a pack of them: one that cannot be read takes
 * none of the others with it. Never throws, and is never empty.
 */
export function readChangeSets(body: Uint8Array): readonly ReadSet[] {
  const unpacked = orError(() => unpackBounded(body));
  if (unpacked instanceof AppError) return [unreadable(body, unpacked)];
  return unpacked.map(readChangeSet);
}

/** Reads one change set. Never throws. */
export function readChangeSet(encoded: Uint8Array): ReadSet {
  const set = orError(() => decodeChangeSet(encoded));
  return set instanceof AppError ? unreadable(encoded, set) : { kind: 'set', set, encoded };
}

/** Throws `CHANGE_TOO_LARGE` before anything is inflated or parsed. */
function unpackBounded(body: Uint8Array): readonly Uint8Array[] {
  const sets = body.length > MESSAGE_PLAIN_BYTES_MAX ? [body] : unpackChangeSets(body);
  const bytes = sets.reduce((sum, encoded) => sum + plainBytesOf(encoded), 0);
  const isLarge = largeHeadOf(body) !== undefined;
  const bytesMax = isLarge ? LARGE_SET_PLAIN_BYTES_MAX : MESSAGE_PLAIN_BYTES_MAX;
  if (bytes <= bytesMax) return sets;
  throw new TerminalError(
    'CHANGE_TOO_LARGE',
    `The message takes ${bytes} bytes inflated, the limit is ${bytesMax}. ` +
      'No region sends as much: find who did.',
    { details: { bytes } },
  );
}

/**
 * Returns what a message takes while it is applied: what is refused for its size is never inflated. Whichever fragment
 * of a set comes last is applied with all of it.
 */
export function inflatedBytesOf(body: Uint8Array): number {
  if (isFragment(body)) {
    const fragment = orError(() => decodeFragment(body));
    return fragment instanceof AppError ? body.length : fragment.bytes;
  }
  const sets = orError(() => unpackBounded(body));
  if (sets instanceof AppError) return body.length;
  return sets.reduce((sum, encoded) => sum + plainBytesOf(encoded), 0);
}

/** Returns the same message for people to read: no set in it is deflated. What is damaged stays as it is. */
export function plainBodyOf(body: Uint8Array): Uint8Array {
  const plain = orError(() => unpackBounded(body).map(inflateChangeSet));
  if (plain instanceof AppError) return body;
  const [first = body] = plain;
  return plain.length > 1 ? packChangeSets(plain) : first;
}

/** Returns those of them that can be read. */
export function readableSetsIn(body: Uint8Array): readonly ChangeSet[] {
  return readChangeSets(body).flatMap((one) => (one.kind === 'set' ? [one.set] : []));
}

function unreadable(encoded: Uint8Array, error: AppError): ReadSet {
  return { kind: 'unreadable', encoded, error };
}

function orError<T>(read: () => T): T | AppError {
  try {
    return read();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
}

export const PACK_SETS_MAX = 100;
/** Service Bus bills a message for every 64 KiB begun; what is left is for its headers. */
export const PACK_BYTES_MAX = 60 * 1_024;

/** Bounds the plain bytes of a pack, this many times as much: who receives a batch has all of its in memory. */
const INFLATION_MAX = 2;
/** Counts a comma in each of the two lists, and at most seven digits. */
const BYTES_BESIDE_A_SET = 9;
const HEAD_BYTES_MAX = 64;
/** Stands before the sets: their lengths in bytes, so that each is cut out as it was put in. */
const HEAD = new RegExp(
  `^\\{"wire":${PACK_WIRE_VERSION},"lengths":\\[(\\d{1,7}(?:,\\d{1,7}){0,${PACK_SETS_MAX - 1}})\\],"sets":\\[`,
);
const START = `{"wire":${PACK_WIRE_VERSION},`;
const HEAD_LENGTH_MAX = HEAD_BYTES_MAX + PACK_SETS_MAX * BYTES_BESIDE_A_SET;

/** Says how to split what is to be sent into packs; a set that alone is too large for one is alone. */
export const PACK_BOUNDS = {
  countMax: PACK_SETS_MAX,
  weightMax: PACK_BYTES_MAX - HEAD_BYTES_MAX,
  weigh: ({ encoded }: { readonly encoded: Uint8Array }): number =>
    fragmentCountOf(encoded) > 1
      ? PACK_BYTES_MAX
      : Math.max(encoded.length, plainBytesOf(encoded) / INFLATION_MAX) + BYTES_BESIDE_A_SET,
};

/** Joins 2 to `PACK_SETS_MAX` encoded change sets as one JSON document. */
export function packChangeSets(sets: readonly Uint8Array[]): Uint8Array {
  const lengths = sets.map(({ length }) => length).join(',');
  const parts: Uint8Array[] = [bytesOf(`${START}"lengths":[${lengths}],"sets":[`)];
  for (const [index, set] of sets.entries()) parts.push(index === 0 ? NOTHING : COMMA, set);
  parts.push(TAIL);
  const packed = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    packed.set(part, offset);
    offset += part.length;
  }
  return packed;
}

/**
 * Returns the encoded change sets in the body of a message, in their order: the body itself where it is no
 * pack. Throws `CHANGE_UNDECODABLE` for a pack that is damaged; what is in the sets is not looked at.
 */
export function unpackChangeSets(body: Uint8Array): readonly Uint8Array[] {
  const start = textOf(body.subarray(0, HEAD_LENGTH_MAX));
  if (!start.startsWith(START)) return [body];
  const head = HEAD.exec(start);
  if (head === null) throw damaged('it does not begin with the lengths of its sets');
  const lengths = (head[1] ?? '').split(',').map(Number);
  let offset = head[0].length;
  const sets = lengths.map((length, index) => {
    if (index > 0 && body[offset] !== COMMA[0])
      throw damaged('its lengths are not those of its sets');
    offset += index === 0 ? 0 : COMMA.length;
    const set = body.subarray(offset, offset + length);
    offset += length;
    return set;
  });
  if (textOf(body.subarray(offset)) !== textOf(TAIL)) {
    throw damaged('it is not as long as its sets');
  }
  return sets;
}

/** Returns the same for the same sets in the same order, and else another: queues may drop what has one id. */
export function packMessageId(stamps: readonly string[]): string {
  const text = stamps.join();
  return `change-sets/${stamps[0] ?? ''}+${stamps.length}-${hash(text, 0x811c9dc5)}${hash(text, 0x01234567)}`;
}

/** FNV-1a, 32 bits, from a basis of its own. */
function hash(text: string, basis: number): string {
  let value = basis;
  for (let at = 0; at < text.length; at += 1) {
    value = Math.imul(value ^ text.charCodeAt(at), 0x01000193) >>> 0;
  }
  return value.toString(16).padStart(8, '0');
}

const NOTHING = new Uint8Array();
const COMMA = bytesOf(',');
const TAIL = bytesOf(']}');

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder('latin1').decode(bytes);
}

function damaged(what: string): TerminalError {
  return new TerminalError('CHANGE_UNDECODABLE', `The message is no pack of change sets: ${what}.`);
}
