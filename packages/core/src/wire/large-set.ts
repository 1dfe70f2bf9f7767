// A change set of more than a message takes: deflated, and cut into fragments where even that is more. See docs/adr/0042.
// A conflict of more than a row takes lies in the same form, under the kind, the bucket and the later stamp of its own.
//
//     whole     {"wire":8,"bytes":…,"part":…,"deflated":"…"}            in memory; alone in a row or a message where
//                                                                       nothing is to be cut
//     fragment  {"wire":8,"fragment":…,"of":…,…,"deflated":"…"}         in a message
//               the same without `deflated`, and that beside it, as it is    in a row
//
// `part` says where it is cut, so whoever stores or sends it cuts it alike, and every region has the same rows.
import { createHash } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { CHANGE_SET_BYTES_MAX } from '../entity-kind/field-budgets.ts';
import { TerminalError } from '../errors.ts';
import type { Fragment, FragmentHead } from '../model/change-set.ts';
import type { ArchiveKey } from '../ports/archive.ts';
import { isStamp } from '../time/stamp.ts';
import { LARGE_WIRE_VERSION } from './versions.ts';

/** Says which sets are written as large ones, and where these are cut. */
export interface LargeSetBounds {
  /** A set of more bytes, not deflated, is a large one. */
  readonly plainBytesMax: number;
  /** Counts the deflated bytes of a part; a multiple of three, so that each is whole in Base64. */
  readonly partBytes: number;
}

/** In Base64, with its head and the headers of the message, a part stays below 256 KiB. */
const PART_BYTES_MAX = 180 * 1_024;

export const LARGE_SET_BOUNDS: LargeSetBounds = {
  plainBytesMax: CHANGE_SET_BYTES_MAX,
  partBytes: PART_BYTES_MAX,
};

/** Is more than the states take that one transaction of the table writes: no reader needs more memory for a set. */
export const LARGE_SET_PLAIN_BYTES_MAX = 6 * 1_024 * 1_024;
/** Is more than two rows as large as can be take as JSON, whatever is in them: a conflict has what both wrote. */
export const LARGE_CONFLICT_PLAIN_BYTES_MAX = 7 * 1_024 * 1_024;
/** All rows of a set are written in one transaction of the table, which takes 4 MiB, in Base64. */
export const LARGE_SET_DEFLATED_BYTES_MAX = 3_000 * 1_024;
export const FRAGMENTS_PER_SET_MAX = Math.ceil(LARGE_SET_DEFLATED_BYTES_MAX / PART_BYTES_MAX);

const LEVEL = 1;
const BASE64_GROUP = 3;
const WHOLE_START = `{"wire":${LARGE_WIRE_VERSION},"bytes":`;
const WHOLE_HEAD = new RegExp(
  `^\\{"wire":${LARGE_WIRE_VERSION},"bytes":(\\d{1,7}),"part":(\\d{1,6}),"deflated":"`,
);
const WHOLE_HEAD_LENGTH_MAX = 64;
const TAIL = '"}';

/** Says what of is made a large one. */
export interface LargeSubject {
  /** Begins a sentence. */
  readonly name: string;
  readonly plainBytesMax: number;
  /** Ends a sentence, after what the limit is. */
  readonly remedy: string;
}

const CHANGE_SET: LargeSubject = {
  name: 'A change set',
  plainBytesMax: LARGE_SET_PLAIN_BYTES_MAX,
  remedy:
    'all that a transaction leaves of its entities goes to every region. Split it, or make its entities smaller.',
};

/** Writes a set, encoded as a plain one, as a large one. Throws `TABLE_LIMIT_EXCEEDED`. */
export function toLargeSet(
  plain: Uint8Array,
  { partBytes }: LargeSetBounds,
  subject: LargeSubject = CHANGE_SET,
): Uint8Array {
  const { plainBytesMax } = subject;
  if (plain.length > plainBytesMax) {
    throw exceeded(subject, {
      bytes: plain.length,
      limit: plainBytesMax,
      how: 'before it is deflated',
    });
  }
  const deflated = deflateSync(plain, { level: LEVEL });
  if (deflated.length > LARGE_SET_DEFLATED_BYTES_MAX) {
    const limit = LARGE_SET_DEFLATED_BYTES_MAX;
    throw exceeded(subject, { bytes: deflated.length, limit, how: 'deflated' });
  }
  const least = Math.ceil(deflated.length / FRAGMENTS_PER_SET_MAX / BASE64_GROUP) * BASE64_GROUP;
  return joinWhole(plain.length, Math.max(partBytes, least), deflated.toString('base64'));
}

function joinWhole(bytes: number, part: number, base64: string): Uint8Array {
  return Buffer.from(
    `${WHOLE_START}${bytes},"part":${part},"deflated":"${base64}${TAIL}`,
    'latin1',
  );
}

function exceeded(
  { name, remedy }: LargeSubject,
  { bytes, limit, how }: { readonly bytes: number; readonly limit: number; readonly how: string },
): TerminalError {
  return new TerminalError(
    'TABLE_LIMIT_EXCEEDED',
    `${name} takes ${bytes} bytes ${how}, the limit is ${limit}: ${remedy}`,
    { details: { bytes, limit } },
  );
}

interface LargeHead {
  /** Counts what the set takes once it is inflated. */
  readonly bytes: number;
  readonly part: number;
  /** Is where the deflated bytes begin. */
  readonly length: number;
}

/** Returns the head of a large set that is whole, as it says; undefined for every other encoding. */
export function largeHeadOf(encoded: Uint8Array): LargeHead | undefined {
  const start = textOf(encoded.subarray(0, WHOLE_HEAD_LENGTH_MAX));
  const head = start.startsWith(WHOLE_START) ? WHOLE_HEAD.exec(start) : null;
  if (head === null) return undefined;
  const part = Number(head[2]);
  return isPartBytes(part) ? { bytes: Number(head[1]), part, length: head[0].length } : undefined;
}

function isPartBytes(part: number): boolean {
  return part > 0 && part <= PART_BYTES_MAX && part % BASE64_GROUP === 0;
}

/** Counts the rows, and the messages, that a set takes: one, unless it has to be cut. */
export function fragmentCountOf(encoded: Uint8Array): number {
  const head = largeHeadOf(encoded);
  if (head === undefined) return 1;
  const base64Length = encoded.length - head.length - TAIL.length;
  return Math.max(1, Math.ceil(base64Length / base64LengthOf(head.part)));
}

function base64LengthOf(part: number): number {
  return (part / BASE64_GROUP) * 4;
}

/** Is what is cut, under the place that it has among all others of its kind. */
export interface Cuttable {
  readonly set: ArchiveKey;
  readonly encoded: Uint8Array;
}

/** Cuts a large set; returns none for one that stays in one piece. */
export function fragmentsOf({ set, encoded }: Cuttable): readonly Fragment[] {
  const head = largeHeadOf(encoded);
  const count = fragmentCountOf(encoded);
  if (head === undefined || count === 1) return [];
  const { entityKind, bucket, stamp } = set;
  const { bytes, part } = head;
  const deflated = Buffer.from(textOf(encoded.subarray(head.length, -TAIL.length)), 'base64');
  const own = { entityKind, bucket, stamp, count, bytes, part, digest: digestOf([deflated]) };
  return Array.from({ length: count }, (_, index) => ({
    ...own,
    index,
    deflated: deflated.subarray(index * part, (index + 1) * part),
  }));
}

/**
 * Returns the encoding of the set that all of the fragments make, in whatever order they are. Throws
 * `FRAGMENTS_DIFFER` for some that make none: of several sets, one missing, or one that is not what was cut.
 */
export function joinFragments(fragments: readonly Fragment[]): Uint8Array {
  const sorted = fragments.toSorted((a, b) => a.index - b.index);
  const [first] = sorted;
  if (first === undefined) throw differ('there is none');
  for (const [place, one] of sorted.entries()) {
    if (setKeyOf(one) !== setKeyOf(first))
      throw differ(`those of ${first.stamp} are of several sets`);
    if (one.index !== place) throw differ(`of ${first.stamp} number ${place} is missing`);
  }
  if (sorted.length !== first.count) {
    throw differ(`of ${first.stamp} there are ${sorted.length} of ${first.count}`);
  }
  const parts = sorted.map(({ deflated }) => deflated);
  if (digestOf(parts) !== first.digest)
    throw differ(`those of ${first.stamp} are not what was cut`);
  return joinWhole(first.bytes, first.part, Buffer.concat(parts).toString('base64'));
}

/** Names the set, and the one cut of it, that a fragment is of. */
export function setKeyOf(head: FragmentHead): string {
  const { entityKind, bucket, stamp, count, bytes, part, digest } = head;
  return [entityKind, bucket, stamp, count, bytes, part, digest].join('~');
}

function digestOf(parts: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

function differ(what: string): TerminalError {
  return new TerminalError('FRAGMENTS_DIFFER', `The fragments make no change set: ${what}.`);
}

const FRAGMENT_START = `{"wire":${LARGE_WIRE_VERSION},"fragment":`;
const FRAGMENT_HEAD_LENGTH_MAX = 512;
const BEFORE_DEFLATED = ',"deflated":"';

const checkHead = Compile(
  Type.Object({
    wire: Type.Literal(LARGE_WIRE_VERSION),
    fragment: Type.Integer({ minimum: 0, maximum: FRAGMENTS_PER_SET_MAX - 1 }),
    of: Type.Integer({ minimum: 2, maximum: FRAGMENTS_PER_SET_MAX }),
    entityKind: Type.String({ pattern: '^[A-Za-z][A-Za-z0-9]{0,40}$' }),
    bucket: Type.String({ pattern: '^[0-9a-f]{2}$' }),
    stamp: Type.String({ maxLength: 80 }),
    bytes: Type.Integer({ minimum: 1, maximum: LARGE_CONFLICT_PLAIN_BYTES_MAX }),
    part: Type.Integer({ minimum: 1, maximum: PART_BYTES_MAX }),
    digest: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  }),
);

/** Writes the head of a fragment as JSON: what stands in a row beside the deflated bytes. */
export function encodeFragmentHead(head: FragmentHead): Uint8Array {
  return Buffer.from(headText(head), 'latin1');
}

function headText(head: FragmentHead): string {
  const { index, count, entityKind, bucket, stamp, bytes, part, digest } = head;
  return JSON.stringify({
    wire: LARGE_WIRE_VERSION,
    fragment: index,
    of: count,
    entityKind,
    bucket,
    stamp,
    bytes,
    part,
    digest,
  });
}

/** Writes a fragment as the body of a message. */
export function encodeFragment(fragment: Fragment): Uint8Array {
  const base64 = Buffer.from(fragment.deflated).toString('base64');
  const text = `${headText(fragment).slice(0, -1)}${BEFORE_DEFLATED}${base64}${TAIL}`;
  return Buffer.from(text, 'latin1');
}

/** Tells whether the bytes are those of a fragment, sound or not. */
export function isFragment(body: Uint8Array): boolean {
  return textOf(body.subarray(0, FRAGMENT_START.length)) === FRAGMENT_START;
}

/** Returns what a fragment in a message says. Throws `CHANGE_UNDECODABLE`. */
export function decodeFragment(body: Uint8Array): Fragment {
  const start = textOf(body.subarray(0, FRAGMENT_HEAD_LENGTH_MAX));
  const at = start.indexOf(BEFORE_DEFLATED);
  const from = at + BEFORE_DEFLATED.length;
  if (at < 0 || textOf(body.subarray(-TAIL.length)) !== TAIL) throw undecodable('it is cut off');
  const head = parseHead(`${start.slice(0, at)}}`);
  if (head.bytes > LARGE_SET_PLAIN_BYTES_MAX) throw undecodable('no set takes as much');
  const base64 = textOf(body.subarray(from, -TAIL.length));
  const deflated = Buffer.from(base64, 'base64');
  if (deflated.toString('base64') !== base64) throw undecodable('it is no Base64');
  return withPart(head, deflated);
}

/** Returns what a fragment in a row says. Throws `CHANGE_UNDECODABLE`. */
export function decodeStoredFragment(head: Uint8Array, deflated: Uint8Array): Fragment {
  return withPart(parseHead(textOf(head)), deflated);
}

function parseHead(text: string): FragmentHead {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw undecodable('its head is no JSON', cause);
  }
  if (!checkHead.Check(json)) {
    const [first] = checkHead.Errors(json);
    throw undecodable(`${first?.instancePath ?? '/'} ${first?.message ?? 'is malformed'}`);
  }
  const { fragment: index, of: count, entityKind, bucket, stamp, bytes, part, digest } = json;
  if (!isStamp(stamp)) throw undecodable('its stamp is none');
  if (!isPartBytes(part) || index >= count) throw undecodable('its figures are impossible');
  return { entityKind, bucket, stamp, index, count, bytes, part, digest };
}

function withPart(head: FragmentHead, deflated: Uint8Array): Fragment {
  const { index, count, part } = head;
  const isLast = index === count - 1;
  const fits = isLast ? deflated.length > 0 && deflated.length <= part : deflated.length === part;
  if (!fits || index * part + deflated.length > LARGE_SET_DEFLATED_BYTES_MAX) {
    throw undecodable('it is not as long as it says');
  }
  return { ...head, deflated };
}

function undecodable(what: string, cause?: unknown): TerminalError {
  const message = `The message is no fragment of a change set: ${what}.`;
  return new TerminalError('CHANGE_UNDECODABLE', message, { cause });
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
