/** A binary heap: the least item comes first. */
export interface MinHeap<T> {
  push(item: T): void;
  pop(): T | undefined;
}

export function createMinHeap<T>(keyOf: (item: T) => number): MinHeap<T> {
  const items: T[] = [];
  const keyAt = (index: number): number => {
    const item = items[index];
    return item === undefined ? Number.POSITIVE_INFINITY : keyOf(item);
  };
  const swap = (a: number, b: number): void => {
    const held = items[a] as T;
    items[a] = items[b] as T;
    items[b] = held;
  };

  function sink(start: number): void {
    let index = start;
    for (;;) {
      const left = index * 2 + 1;
      const least = keyAt(left + 1) < keyAt(left) ? left + 1 : left;
      if (keyAt(least) >= keyAt(index)) return;
      swap(index, least);
      index = least;
    }
  }

  return {
    push(item) {
      items.push(item);
      let index = items.length - 1;
      while (index > 0) {
        const parent = (index - 1) >> 1;
        if (keyAt(parent) <= keyAt(index)) return;
        swap(index, parent);
        index = parent;
      }
    },
    pop() {
      const first = items[0];
      const last = items.pop();
      if (items.length > 0 && last !== undefined) {
        items[0] = last;
        sink(0);
      }
      return first;
    },
  };
}
