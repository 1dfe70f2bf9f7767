import { TerminalError } from '../errors.ts';
import { plainBytesOf } from './deflate-change-set.ts';
import { PACK_WIRE_VERSION } from './versions.ts';

export const PACK_SETS_MAX = 100;
/** Service Bus bills a message for every 64 KiB begun; what is left is for its headers. */
export const PACK_BYTES_MAX = 60 * 1_024;

/** Of plain bytes a pack holds this many times as much: who receives a batch has all of its in memory. */
const INFLATION_MAX = 2;
/** A comma in each of the two lists, and at most seven digits. */
const BYTES_BESIDE_A_SET = 9;
const HEAD_BYTES_MAX = 64;
/** Before the sets: their lengths in bytes, so that each is cut out as it was put in. */
const HEAD = new RegExp(
  `^\\{"wire":${PACK_WIRE_VERSION},"lengths":\\[(\\d{1,7}(?:,\\d{1,7}){0,${PACK_SETS_MAX - 1}})\\],"sets":\\[`,
);
const START = `{"wire":${PACK_WIRE_VERSION},`;
const HEAD_LENGTH_MAX = HEAD_BYTES_MAX + PACK_SETS_MAX * BYTES_BESIDE_A_SET;

/** How to split what is to be sent into packs; a set that alone is too large for one is alone. */
export const PACK_BOUNDS = {
  countMax: PACK_SETS_MAX,
  weightMax: PACK_BYTES_MAX - HEAD_BYTES_MAX,
  weigh: ({ encoded }: { readonly encoded: Uint8Array }): number =>
    Math.max(encoded.length, plainBytesOf(encoded) / INFLATION_MAX) + BYTES_BESIDE_A_SET,
};

/** 2 to `PACK_SETS_MAX` encoded change sets as one JSON document. */
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
 * The encoded change sets in the body of a message, in their order: the body itself where it is no
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

/** The same for the same sets in the same order, and else another: queues may drop what has one id. */
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
