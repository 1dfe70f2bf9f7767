import {
  decodeFieldValue,
  type EntityState,
  encodeFieldValue,
  type FieldValue,
  type NullableFieldValue,
  newestStamp,
  type Stamp,
  type StampedField,
  type StoredRow,
  stampRegion,
} from '@tandem/core';

/**
 * Bytes that are written and read from a cursor on. Texts come back exactly as they were, lone
 * surrogates included; the two forms that every row holds, a UUID and the ETag of Table Storage,
 * take 17 and 10 bytes in place of 36 and 46.
 */
class PackedBytes {
  bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** Returns what is good until something else is written over it. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.at);
  }

  putByte(byte: number): void {
    if (this.at >= this.bytes.length) this.#makeRoom(1);
    this.bytes[this.at] = byte;
    this.at += 1;
  }

  byte(): number {
    const byte = this.bytes[this.at] ?? 0;
    this.at += 1;
    return byte;
  }

  /** Writes seven bits a byte, the lowest first. */
  putCount(count: number): void {
    let rest = count;
    while (rest >= 0x80) {
      this.putByte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.putByte(rest);
  }

  count(): number {
    let count = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      count |= (byte & 0x7f) << shift;
      if (byte < 0x80) return count;
    }
  }

  /** Writes a whole number below 2 to the power of 48. */
  putUint48(value: number): void {
    this.#makeRoom(6);
    this.at = this.bytes.writeUIntBE(value, this.at, 6);
  }

  uint48(): number {
    this.at += 6;
    return this.bytes.readUIntBE(this.at - 6, 6);
  }

  putUint16(value: number): void {
    this.putByte(value >>> 8);
    this.putByte(value & 0xff);
  }

  uint16(): number {
    return this.byte() * 256 + this.byte();
  }

  putText(text: string): void {
    if (text.length === UUID_LENGTH && this.#putUuid(text)) return;
    if (text.startsWith(ETAG_FRONT) && this.#putEtag(text)) return;
    const isLatin = isLatin1(text);
    const byteCount = isLatin ? text.length : 2 * text.length;
    this.putCount(byteCount * FORMS + (isLatin ? LATIN1 : UTF16));
    this.#makeRoom(byteCount);
    if (isLatin) {
      // For the few characters of a field, quicker than the call of `write`.
      for (let n = 0; n < byteCount; n += 1) this.bytes[this.at + n] = text.charCodeAt(n);
    } else {
      this.bytes.write(text, this.at, 'utf16le');
    }
    this.at += byteCount;
  }

  text(): string {
    const head = this.count();
    const form = head % FORMS;
    if (form === ETAG) return this.#etag();
    const from = this.at;
    this.at += (head - form) / FORMS;
    if (form === LATIN1) return this.bytes.toString('latin1', from, this.at);
    if (form === UTF16) return this.bytes.toString('utf16le', from, this.at);
    const hex = this.bytes.toString('hex', from, this.at);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  /** Writes one in lower case; returns false when it is another text. */
  #putUuid(text: string): boolean {
    if (!UUID.test(text)) return false;
    this.putCount(UUID_BYTES * FORMS + UUID_FORM);
    this.#makeRoom(UUID_BYTES);
    for (const place of UUID_PLACES) {
      this.bytes[this.at] = 16 * hexDigit(text, place) + hexDigit(text, place + 1);
      this.at += 1;
    }
    return true;
  }

  /** `W/"datetime'2026-11-22T17%3A22%3A45.1234567Z'"`: is 21 digits; returns false when it is another text. */
  #putEtag(text: string): boolean {
    if (!ETAG_OF_TABLES.test(text)) return false;
    this.putCount(ETAG);
    this.#putUint24(Number(text.slice(12, 16) + text.slice(17, 19) + text.charAt(20)));
    const time = text.slice(23, 25) + text.slice(28, 30) + text.slice(33, 35);
    this.#putUint24(Number(text.charAt(21) + time));
    this.#putUint24(Number(text.slice(36, 43)));
    return true;
  }

  #etag(): string {
    const [front, middle, fraction] = [
      this.#sevenDigits(),
      this.#sevenDigits(),
      this.#sevenDigits(),
    ];
    const date = `${front.slice(0, 4)}-${front.slice(4, 6)}-${front.slice(6)}${middle.slice(0, 1)}`;
    const time = `${middle.slice(1, 3)}%3A${middle.slice(3, 5)}%3A${middle.slice(5)}`;
    return `${ETAG_FRONT}${date}T${time}.${fraction}Z'"`;
  }

  #putUint24(value: number): void {
    this.putByte(value >>> 16);
    this.putUint16(value & 0xffff);
  }

  #sevenDigits(): string {
    const value = this.byte() * 0x10000 + this.uint16();
    return value.toString().padStart(7, '0');
  }

  #makeRoom(byteCount: number): void {
    const needed = this.at + byteCount;
    if (needed <= this.bytes.length) return;
    const wider = Buffer.allocUnsafeSlow(2 * needed);
    this.bytes.copy(wider, 0, 0, this.at);
    this.bytes = wider;
  }
}

const FORMS = 4;
const LATIN1 = 0;
const UTF16 = 1;
const UUID_FORM = 2;
const ETAG = 3;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const UUID_LENGTH = 36;
const UUID_BYTES = 16;
/** Says where in the text the digits of each byte stand. */
const UUID_PLACES = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
const DIGITS_FROM = 0x30;
const LETTERS_FROM = 0x61;
const ETAG_FRONT = `W/"datetime'`;
const ETAG_OF_TABLES = /^W\/"datetime'\d{4}-\d\d-\d\dT\d\d%3A\d\d%3A\d\d\.\d{7}Z'"$/;

/** Reads one of 0-9 and a-f. */
function hexDigit(text: string, place: number): number {
  const unit = text.charCodeAt(place);
  return unit < LETTERS_FROM ? unit - DIGITS_FROM : unit - LETTERS_FROM + 10;
}

function isLatin1(text: string): boolean {
  for (let n = 0; n < text.length; n += 1) if (text.charCodeAt(n) > 0xff) return false;
  return true;
}

/** Bounds the names that are kept once: of fields, of regions with their writers, and of archive partitions. */
const NAMES_MAX = 4_096;
const NAME_LENGTH_MAX = 256;
const UNNUMBERED = 0;
const SCRATCH_BYTES = 8 * 1024;

const NO_REQUEST = '';
const NO_REFERENCE = 0;
/** Refers to the archive row of one of the row's own stamps. */
const OWN_REFERENCE = 1;
const OTHER_REFERENCE = 2;

const NULL_TYPE = 0;
const JSON_TYPE = 1;
/** Are kept as they are; of the other types the JSON form is, which is exact for all. */
const TEXT_TYPES = ['String', 'DateTime', 'Guid'] as const;
const TEXT_TYPE_FROM = 2;

/** Holds with what a packed row begins; `version` begins with `id`, and is that of no other row. */
export interface PackedVersion {
  readonly id: Uint8Array;
  /** Holds id, ETag and stamps. */
  readonly version: Uint8Array;
}

/**
 * Rows as few bytes, and back, exact in every field. What stands in many rows (names of fields,
 * writers of stamps) is kept once, so what one packer has packed only that one can unpack.
 */
export class RowPacker {
  readonly #names: string[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #scratch = new PackedBytes(Buffer.allocUnsafeSlow(SCRATCH_BYTES));
  /** Are those of the version that was packed last. */
  #stamps: readonly Stamp[] = [];

  /** All that is packed here is good until something else is packed. */
  packId(entityId: string): Uint8Array {
    const packed = this.#scratch;
    packed.at = 0;
    packed.putText(entityId);
    return packed.written();
  }

  packVersion({ entityId, etag, state }: StoredRow): PackedVersion {
    const id = this.packId(entityId);
    const packed = this.#scratch;
    packed.putText(etag);
    const stamps = distinctStamps(state);
    packed.putCount(stamps.length);
    for (const stamp of stamps) this.#putStamp(packed, stamp);
    this.#stamps = stamps;
    return { id, version: packed.written() };
  }

  /** Packs the whole of the row whose version was the last that was packed. */
  packRest({ entityId, state, referenceId }: StoredRow): Uint8Array {
    const packed = this.#scratch;
    const stamps = this.#stamps;
    packed.putCount(state.vector.size);
    for (const stamp of state.vector.values()) packed.putCount(stamps.indexOf(stamp));
    packed.putCount(state.alive === undefined ? 0 : stamps.indexOf(state.alive) + 1);
    packed.putCount(state.deleted === undefined ? 0 : stamps.indexOf(state.deleted) + 1);
    packed.putCount(state.base === undefined ? 0 : stamps.indexOf(state.base) + 1);
    packed.putText(state.request ?? NO_REQUEST);
    packed.putCount(state.fields.size);
    for (const [name, { value, stamp }] of state.fields) {
      this.#putName(packed, name);
      packed.putCount(stamps.indexOf(stamp));
      putValue(packed, value);
    }
    this.#putReference(packed, { referenceId, entityId, newest: newestStamp(state.vector) });
    return packed.written();
  }

  unpack(bytes: Buffer): StoredRow {
    const packed = new PackedBytes(bytes);
    const entityId = packed.text();
    const etag = packed.text();
    const stamps: Stamp[] = [];
    for (let left = packed.count(); left > 0; left -= 1) stamps.push(this.#stamp(packed));
    const stampAt = (index: number): Stamp => stamps[index]!;
    const vector = new Map<string, Stamp>();
    for (let left = packed.count(); left > 0; left -= 1) {
      const stamp = stampAt(packed.count());
      vector.set(stampRegion(stamp), stamp);
    }
    const [alive, deleted, base] = [packed.count(), packed.count(), packed.count()];
    const request = packed.text();
    const fields = new Map<string, StampedField>();
    for (let left = packed.count(); left > 0; left -= 1) {
      const name = this.#name(packed);
      const stamp = stampAt(packed.count());
      fields.set(name, { value: readValue(packed), stamp });
    }
    const state: EntityState = {
      fields,
      alive: alive === 0 ? undefined : stampAt(alive - 1),
      deleted: deleted === 0 ? undefined : stampAt(deleted - 1),
      ...(base === 0 ? {} : { base: stampAt(base - 1) }),
      ...(request === NO_REQUEST ? {} : { request }),
      vector,
    };
    return { entityId, etag, state, referenceId: this.#reference(packed, { entityId, vector }) };
  }

  /** Packs `<time>-<counter>-<region>-<writer>`, where region and writer are one name. */
  #putStamp(packed: PackedBytes, stamp: Stamp): void {
    packed.putUint48(parseInt(stamp.slice(0, 12), 16));
    packed.putUint16(parseInt(stamp.slice(13, 17), 16));
    this.#putName(packed, stamp.slice(18));
  }

  #stamp(packed: PackedBytes): Stamp {
    const time = packed.uint48().toString(16).padStart(12, '0');
    const counter = packed.uint16().toString(16).padStart(4, '0');
    return `${time}-${counter}-${this.#name(packed)}` as Stamp;
  }

  #putReference(
    packed: PackedBytes,
    row: Pick<StoredRow, 'referenceId' | 'entityId'> & { newest: Stamp | undefined },
  ): void {
    const { referenceId } = row;
    if (referenceId === undefined) return packed.putByte(NO_REFERENCE);
    const ending = endingOf(row);
    if (referenceId.endsWith(ending)) {
      packed.putByte(OWN_REFERENCE);
      this.#putName(packed, referenceId.slice(0, -ending.length));
    } else {
      packed.putByte(OTHER_REFERENCE);
      packed.putText(referenceId);
    }
  }

  #reference(
    packed: PackedBytes,
    { entityId, vector }: { readonly entityId: string; readonly vector: EntityState['vector'] },
  ): string | undefined {
    const form = packed.byte();
    if (form === NO_REFERENCE) return undefined;
    if (form === OTHER_REFERENCE) return packed.text();
    return `${this.#name(packed)}${endingOf({ entityId, newest: newestStamp(vector) })}`;
  }

  /** Writes its number, from 1 on; what came when there was room for no more names stands there itself. */
  #putName(packed: PackedBytes, name: string): void {
    let number = this.#numbers.get(name);
    if (number === undefined && this.#names.length < NAMES_MAX && name.length <= NAME_LENGTH_MAX) {
      number = this.#names.push(name);
      this.#numbers.set(name, number);
    }
    packed.putCount(number ?? UNNUMBERED);
    if (number === undefined) packed.putText(name);
  }

  #name(packed: PackedBytes): string {
    const number = packed.count();
    return number === UNNUMBERED ? packed.text() : this.#names[number - 1]!;
  }
}

/** A row has few, so a list is quicker than a set. */
function distinctStamps({ vector, alive, deleted, base, fields }: EntityState): Stamp[] {
  const stamps: Stamp[] = [];
  const consider = (stamp: Stamp | undefined): void => {
    if (stamp !== undefined && !stamps.includes(stamp)) stamps.push(stamp);
  };
  for (const stamp of vector.values()) consider(stamp);
  consider(alive);
  consider(deleted);
  consider(base);
  for (const { stamp } of fields.values()) consider(stamp);
  return stamps;
}

/** Returns how `referenceIdOf` ends where it names the newest transaction. */
function endingOf(row: { readonly entityId: string; readonly newest: Stamp | undefined }): string {
  return `/${row.newest}/${row.entityId}`;
}

function putValue(packed: PackedBytes, value: NullableFieldValue): void {
  if (value === null) return packed.putByte(NULL_TYPE);
  switch (value.type) {
    case 'String':
    case 'DateTime':
    case 'Guid':
      packed.putByte(TEXT_TYPE_FROM + TEXT_TYPES.indexOf(value.type));
      return packed.putText(value.value);
    case 'Boolean':
    case 'Int32':
    case 'Int64':
    case 'Double':
    case 'Binary':
    default:
      packed.putByte(JSON_TYPE);
      return packed.putText(JSON.stringify(encodeFieldValue(value)));
  }
}

function readValue(packed: PackedBytes): NullableFieldValue {
  const code = packed.byte();
  if (code === NULL_TYPE) return null;
  if (code === JSON_TYPE) return decodeFieldValue(JSON.parse(packed.text())) ?? null;
  return { type: TEXT_TYPES[code - TEXT_TYPE_FROM]!, value: packed.text() } satisfies FieldValue;
}
