/** A map that is read in the order of its keys (UTF-16, as JavaScript compares strings). */
export interface SortedMap<V> {
  readonly size: number;
  get(key: string): V | undefined;
  set(key: string, value: V): void;
  delete(key: string): void;
  /** Entries from the first key that is not less than `from`. Do not change the map meanwhile. */
  entriesFrom(from: string): Iterable<readonly [string, V]>;
}

export function createSortedMap<V>(): SortedMap<V> {
  const values = new Map<string, V>();
  const keys: string[] = [];

  /** The index of the first key that is not less than `key`. Keys mostly arrive in order. */
  const indexOf = (key: string): number => {
    const last = keys.at(-1);
    if (last === undefined || last < key) return keys.length;
    let low = 0;
    let high = keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((keys[middle] ?? '') < key) low = middle + 1;
      else high = middle;
    }
    return low;
  };

  return {
    get size() {
      return values.size;
    },
    get: (key) => values.get(key),
    set(key, value) {
      if (!values.has(key)) keys.splice(indexOf(key), 0, key);
      values.set(key, value);
    },
    delete(key) {
      if (values.delete(key)) keys.splice(indexOf(key), 1);
    },
    *entriesFrom(from) {
      for (let index = indexOf(from); index < keys.length; index += 1) {
        const key = keys[index] ?? '';
        const value = values.get(key);
        if (value !== undefined) yield [key, value];
      }
    },
  };
}
