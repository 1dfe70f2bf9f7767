/**
 * Chance by name: the same seed and the same key give the same number, whatever else was drawn. So
 * taking one fault out of a run leaves the choice of all the others as it was, which is what makes
 * a list of faults replayable and short ones findable.
 */
export interface Draw {
  /** Uniform in [0, 1). */
  fraction(key: string): number;
  /** Both ends included. */
  integer(key: string, bounds: readonly [min: number, max: number]): number;
  chance(key: string, probability: number): boolean;
  pick<T>(key: string, items: readonly T[]): T;
}

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

export function createDraw(seed: number): Draw {
  const fraction = (key: string): number => hashText(key, seed) / 2 ** 32;
  const integer = (key: string, [min, max]: readonly [number, number]): number =>
    min + Math.floor(fraction(key) * (max - min + 1));
  return {
    fraction,
    integer,
    chance: (key, probability) => fraction(key) < probability,
    pick<T>(key: string, items: readonly T[]): T {
      return items[integer(key, [0, items.length - 1])] as T;
    },
  };
}

/** FNV-1a over the text, started from the seed and finished as MurmurHash3 is. */
export function hashText(text: string, seed: number): number {
  let hash = Math.imul(FNV_OFFSET ^ mix(seed), FNV_PRIME);
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), FNV_PRIME);
  }
  return mix(hash);
}

function mix(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
