/** Whose positions these are. */
export interface Positions {
  /** False once what lay there is gone: its place in the index is free then. */
  isThere(position: number): boolean;
  hashAt(position: number): number;
}

/**
 * Positions by the hash of a key. Each hash has a few places, and when all are taken the index grows, a part
 * of it at a time, up to its bound; then the lowest position gives way. So it may forget, but
 * never waits long, and what it gives is to be checked against the key.
 */
export class PositionIndex {
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

  /** The first of its positions for which `isWanted` holds. */
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

  /** Twice the places, so those of one hash are shared out over two. */
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
