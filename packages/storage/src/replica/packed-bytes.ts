/**
 * Bytes that are written and read from a cursor on. Texts come back exactly as they were, lone
 * surrogates included; the two forms that every row holds, a UUID and the ETag of Table Storage,
 * take 17 and 10 bytes in place of 36 and 46.
 */
export class PackedBytes {
  bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** Good until something else is written over it. */
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

  /** Seven bits a byte, the lowest first. */
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

  /** A whole number below 2 to the power of 48. */
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

  /** In lower case; false when it is another text. */
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

  /** `W/"datetime'2026-11-22T17%3A22%3A45.1234567Z'"`: 21 digits; false when it is another text. */
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
/** Where in the text the digits of each byte stand. */
const UUID_PLACES = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
const DIGITS_FROM = 0x30;
const LETTERS_FROM = 0x61;
const ETAG_FRONT = `W/"datetime'`;
const ETAG_OF_TABLES = /^W\/"datetime'\d{4}-\d\d-\d\dT\d\d%3A\d\d%3A\d\d\.\d{7}Z'"$/;

/** Of 0-9 and a-f. */
function hexDigit(text: string, place: number): number {
  const unit = text.charCodeAt(place);
  return unit < LETTERS_FROM ? unit - DIGITS_FROM : unit - LETTERS_FROM + 10;
}

function isLatin1(text: string): boolean {
  for (let n = 0; n < text.length; n += 1) if (text.charCodeAt(n) > 0xff) return false;
  return true;
}
