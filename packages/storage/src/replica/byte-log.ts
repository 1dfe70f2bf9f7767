/**
 * Entries of bytes at positions that are never used again. When its room is taken, the oldest
 * segment gives way with all that is in it. Room is taken as it is needed, outside the heap.
 */
export class ByteLog {
  readonly #segments = new Map<number, Buffer>();
  readonly #segmentsMax: number;
  /** The newest; they are numbered from 0 on. */
  #newest = -1;
  #free = SEGMENT_BYTES;

  constructor(bytesMax: number) {
    this.#segmentsMax = Math.max(1, Math.floor(bytesMax / SEGMENT_BYTES));
  }

  get bytesTaken(): number {
    return this.#segments.size * SEGMENT_BYTES;
  }

  /** Its position, or undefined for one that is larger than a segment. */
  append(entry: Uint8Array, hash: number): number | undefined {
    const size = roomFor(entry.length);
    if (size > SEGMENT_BYTES) return undefined;
    if (this.#free + size > SEGMENT_BYTES) this.#openSegment();
    const position = this.#newest * SEGMENT_BYTES + this.#free;
    const segment = this.#segments.get(this.#newest)!;
    segment.writeUInt32LE(hash, this.#free);
    writeEntry(segment, this.#free, entry);
    this.#free += size;
    return position;
  }

  isThere(position: number): boolean {
    return this.#segments.has(Math.floor(position / SEGMENT_BYTES));
  }

  /** Good until the next change; undefined when it gave way. */
  read(position: number): Buffer | undefined {
    const segment = this.#segments.get(Math.floor(position / SEGMENT_BYTES));
    if (segment === undefined) return undefined;
    const from = position % SEGMENT_BYTES;
    const length = segment.readUInt32LE(from + LENGTH_AT);
    return segment.subarray(from + HEAD_BYTES, from + HEAD_BYTES + length);
  }

  /** False, too, once it gave way. */
  beginsWith(position: number, bytes: Uint8Array): boolean {
    const segment = this.#segments.get(Math.floor(position / SEGMENT_BYTES));
    if (segment === undefined) return false;
    const from = position % SEGMENT_BYTES;
    if (bytes.length > segment.readUInt32LE(from + LENGTH_AT)) return false;
    for (let n = 0; n < bytes.length; n += 1) {
      if (segment[from + HEAD_BYTES + n] !== bytes[n]) return false;
    }
    return true;
  }

  hashAt(position: number): number {
    const segment = this.#segments.get(Math.floor(position / SEGMENT_BYTES));
    return segment?.readUInt32LE(position % SEGMENT_BYTES) ?? 0;
  }

  /** In the place of the entry there, if it fits; false otherwise. */
  replace(position: number, entry: Uint8Array): boolean {
    const segment = this.#segments.get(Math.floor(position / SEGMENT_BYTES));
    if (segment === undefined) return false;
    const from = position % SEGMENT_BYTES;
    if (roomFor(entry.length) > roomFor(segment.readUInt32LE(from + LENGTH_AT))) return false;
    // The room stays as large as it was made: a shorter entry may grow again only to its own size.
    writeEntry(segment, from, entry);
    return true;
  }

  #openSegment(): void {
    const oldest = this.#newest + 1 - this.#segmentsMax;
    const reused = this.#segments.get(oldest);
    this.#segments.delete(oldest);
    this.#newest += 1;
    this.#segments.set(this.#newest, reused ?? Buffer.allocUnsafeSlow(SEGMENT_BYTES));
    this.#free = 0;
  }
}

const SEGMENT_BYTES = 256 * 1024;
/** The hash and the length of an entry stand before it. */
const HEAD_BYTES = 8;
const LENGTH_AT = 4;
/** An entry that is a little longer the next time then stays where it is. */
const ROUNDED_TO_BYTES = 8;

function roomFor(length: number): number {
  return Math.ceil((HEAD_BYTES + length) / ROUNDED_TO_BYTES) * ROUNDED_TO_BYTES;
}

function writeEntry(segment: Buffer, from: number, entry: Uint8Array): void {
  segment.writeUInt32LE(entry.length, from + LENGTH_AT);
  segment.set(entry, from + HEAD_BYTES);
}
