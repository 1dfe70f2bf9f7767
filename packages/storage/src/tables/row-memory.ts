/**
 * The rows that this process remembers, so that neither a write nor an apply reads a row that it has seen.
 *
 *     recall, remember, forget
 *        │
 *     recent rows        on the heap, as they are: the 4,096 that came last and are light
 *        │               what came first goes down; what is heavy or holds bytes goes down at once
 *     packed rows        outside the heap, bounded by bytes
 *        ├── index       1/8 of the bytes: 64 parts, each of groups of 8 places; a place is a position
 *        │                 hash of the id ──► part ──► group: 8 × Float64, -1 where it is free
 *        │                 a part that is full doubles up to its bound, then its lowest position gives way
 *        └── log         7/8 of the bytes: segments of 256 KiB, the oldest gives way whole
 *                          position = number of the segment × 256 KiB + offset, never used again
 *                          ┌────────────┬──────────────┬──────────────────────┬──────┬──────────┐
 *                          │ hash (u32) │ length (u32) │ id, ETag, all stamps │ rest │ to 8 B   │
 *                          └────────────┴──────────────┴──────────────────────┴──────┴──────────┘
 *                                                       the packed row, of `length` bytes
 *
 * The hash in an entry tells whether a place of the index is of this id, and the id that the packed row begins
 * with decides. `pack-row.ts` says how a row is packed.
 */
import type { EntityState, StoredRow } from '@tandem/core';
import { RowPacker } from './pack-row.ts';

/**
 * Rows as this process last saw them. Anyone may have changed them since, so what is recalled is good
 * only for a write that its ETag guards.
 */
export interface RowMemory {
  recall(entityId: string): StoredRow | undefined;
  /** Rows of one id are the same if their ETags and their stamps are: a stamp is of one transaction. */
  remember(row: StoredRow): void;
  forget(entityId: string): void;
  /** Counts all that it has taken so far, outside the heap. */
  readonly bytesTaken: number;
}

export interface RowMemoryOptions {
  readonly bytesMax?: number | undefined;
}

/** Holds a million customers, and leaves room beside it in a container of 512 MiB. It is taken as rows come. */
export const ROW_MEMORY_BYTES_DEFAULT = 192 * 1024 * 1024;

/** `bytesMax` bounds what is outside the heap; the rows that came last are in it, and bounded by themselves. */
export function createRowMemory(options: RowMemoryOptions = {}): RowMemory {
  const { bytesMax = ROW_MEMORY_BYTES_DEFAULT } = options;
  return withRecentRows(createPackedRows(bytesMax));
}

/** Takes of customers some 6 MiB of the heap, of the heaviest rows some 30. */
const ROWS_MAX = 4_096;
/** Counts characters of all texts, and what the objects of each field weigh; a larger row is packed at once. */
const ROW_WEIGHT_MAX = 2_048;
const FIELD_WEIGHT = 100;

/**
 * Keeps the rows that came last as they are in front of a memory that packs them: what is written again
 * soon is neither packed nor unpacked. What came first goes to the memory behind when there are too many.
 */
export function withRecentRows(behind: RowMemory): RowMemory {
  const recent = new Map<string, StoredRow>();
  // It stays before the first row: a new one would begin with what was deleted there.
  const oldest = recent.values();
  return {
    get bytesTaken() {
      return behind.bytesTaken;
    },
    recall: (entityId) => recent.get(entityId) ?? behind.recall(entityId),
    remember(row) {
      // What it tells beside its state is not kept: whoever writes over it has to read it.
      if (row.prepared !== undefined) {
        this.forget(row.entityId);
        return;
      }
      if (!isLight(row.state)) {
        recent.delete(row.entityId);
        behind.remember(row);
        return;
      }
      recent.set(row.entityId, row);
      if (recent.size <= ROWS_MAX) return;
      const first = oldest.next();
      if (first.done === true) return;
      recent.delete(first.value.entityId);
      behind.remember(first.value);
    },
    forget(entityId) {
      recent.delete(entityId);
      behind.forget(entityId);
    },
  };
}

/** Bytes may be written over by whoever gave them or was given them, so a row that has some is packed. */
function isLight({ fields }: EntityState): boolean {
  let weight = 0;
  for (const { value } of fields.values()) {
    if (value?.type === 'Binary') return false;
    weight += FIELD_WEIGHT + (value?.type === 'String' ? value.value.length : 0);
    if (weight > ROW_WEIGHT_MAX) return false;
  }
  return true;
}

/** Says which part of the bound is for finding the rows. */
const INDEX_SHARE = 1 / 8;

/**
 * Bounded by bytes; what was taken in first is forgotten first. Rows are packed (a customer's into about
 * 160 bytes, where its objects take 1,600) outside the heap: many fit, and the garbage collector has none of
 * them to look at.
 */
export function createPackedRows(bytesMax: number): RowMemory {
  const packer = new RowPacker();
  const log = new ByteLog(bytesMax * (1 - INDEX_SHARE));
  const index = new PositionIndex(bytesMax * INDEX_SHARE, log);

  const find = (id: Uint8Array, hash: number): number | undefined =>
    index.find(hash, (position) => log.beginsWith(position, id));

  return {
    get bytesTaken() {
      return log.bytesTaken + index.bytesTaken;
    },
    recall(entityId) {
      const position = find(packer.packId(entityId), hashOf(entityId));
      const packed = position === undefined ? undefined : log.read(position);
      return packed && packer.unpack(packed);
    },
    remember(row) {
      const hash = hashOf(row.entityId);
      const { id, version } = packer.packVersion(row);
      const held = find(id, hash);
      // What is read again and again has mostly not changed.
      if (held !== undefined && log.beginsWith(held, version)) return;
      const packed = packer.packRest(row);
      if (held !== undefined && log.replace(held, packed)) return;
      if (held !== undefined) index.remove(hash, held);
      const position = log.append(packed, hash);
      if (position !== undefined) index.add(hash, position);
    },
    forget(entityId) {
      const hash = hashOf(entityId);
      const position = find(packer.packId(entityId), hash);
      if (position !== undefined) index.remove(hash, position);
    },
  };
}

/** Returns 32 bits, FNV-1a with its bits mixed once more: ids often differ in their last digits alone. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let n = 0; n < text.length; n += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(n), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * Entries of bytes at positions that are never used again. When its room is taken, the oldest
 * segment gives way with all that is in it. Room is taken as it is needed, outside the heap.
 */
class ByteLog {
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

  /** Returns its position, or undefined for one that is larger than a segment. */
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

  /** Returns what is good until the next change; undefined when it gave way. */
  read(position: number): Buffer | undefined {
    const segment = this.#segments.get(Math.floor(position / SEGMENT_BYTES));
    if (segment === undefined) return undefined;
    const from = position % SEGMENT_BYTES;
    const length = segment.readUInt32LE(from + LENGTH_AT);
    return segment.subarray(from + HEAD_BYTES, from + HEAD_BYTES + length);
  }

  /** Returns false, too, once it gave way. */
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

  /** Writes in the place of the entry there, if it fits; returns false otherwise. */
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

/** Tells whose positions these are. */
interface Positions {
  /** Returns false once what lay there is gone: its place in the index is free then. */
  isThere(position: number): boolean;
  hashAt(position: number): number;
}

/**
 * Positions by the hash of a key. Each hash has a few places, and when all are taken the index grows, a part
 * of it at a time, up to its bound; then the lowest position gives way. So it may forget, but
 * never waits long, and what it gives is to be checked against the key.
 */
class PositionIndex {
  readonly #positions: Positions;
  readonly #parts: Float64Array<ArrayBuffer>[];
  readonly #placesPerPartMax: number;

  constructor(bytesMax: number, positions: Positions) {
    this.#positions = positions;
    const placesMax = bytesMax / PARTS / Float64Array.BYTES_PER_ELEMENT;
    this.#placesPerPartMax = Math.max(WAYS, 2 ** Math.floor(Math.log2(placesMax)));
    this.#parts = Array.from({ length: PARTS }, () => emptyPart(WAYS));
  }

  get bytesTaken(): number {
    return this.#parts.reduce((sum, part) => sum + part.byteLength, 0);
  }

  /** Returns the first of its positions for which `isWanted` holds. */
  find(hash: number, isWanted: (position: number) => boolean): number | undefined {
    const part = this.#parts[hash % PARTS]!;
    const from = firstPlace(part, hash);
    for (let place = from; place < from + WAYS; place += 1) {
      const position = part[place]!;
      if (position === FREE || !this.#isOf(position, hash)) continue;
      if (isWanted(position)) return position;
    }
    return undefined;
  }

  add(hash: number, position: number): void {
    const part = this.#parts[hash % PARTS]!;
    const place = this.#freePlace(part, hash);
    if (place !== undefined) {
      part[place] = position;
    } else if (part.length < this.#placesPerPartMax) {
      this.#grow(hash % PARTS);
      this.add(hash, position);
    } else {
      part[lowestPlace(part, hash)] = position;
    }
  }

  remove(hash: number, position: number): void {
    const part = this.#parts[hash % PARTS]!;
    const from = firstPlace(part, hash);
    for (let place = from; place < from + WAYS; place += 1) {
      if (part[place] === position) part[place] = FREE;
    }
  }

  #isOf(position: number, hash: number): boolean {
    return this.#positions.isThere(position) && this.#positions.hashAt(position) === hash;
  }

  #freePlace(part: Float64Array, hash: number): number | undefined {
    const from = firstPlace(part, hash);
    for (let place = from; place < from + WAYS; place += 1) {
      const position = part[place]!;
      if (position === FREE || !this.#positions.isThere(position)) return place;
    }
    return undefined;
  }

  /** Makes twice the places, so those of one hash are shared out over two. */
  #grow(number: number): void {
    const part = this.#parts[number]!;
    const wider = emptyPart(2 * part.length);
    this.#parts[number] = wider;
    for (const position of part) {
      if (position === FREE || !this.#positions.isThere(position)) continue;
      const hash = this.#positions.hashAt(position);
      const place = this.#freePlace(wider, hash);
      if (place !== undefined) wider[place] = position;
    }
  }
}

const FREE = -1;
const WAYS = 8;
/** One part grows at a time, so that no write waits for the whole. */
const PARTS = 64;

function emptyPart(places: number): Float64Array<ArrayBuffer> {
  return new Float64Array(places).fill(FREE);
}

function firstPlace(part: Float64Array, hash: number): number {
  const groups = part.length / WAYS;
  return (Math.floor(hash / PARTS) % groups) * WAYS;
}

function lowestPlace(part: Float64Array, hash: number): number {
  const from = firstPlace(part, hash);
  let lowest = from;
  for (let place = from; place < from + WAYS; place += 1) {
    if (part[place]! < part[lowest]!) lowest = place;
  }
  return lowest;
}
