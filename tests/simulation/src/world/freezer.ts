/**
 * Makes a service, or the way to it, stand still with its connections open: nothing is refused and nothing
 * answered until it goes on. Faults may overlap, so each is counted.
 */
export interface Freezer {
  readonly isFrozen: boolean;
  /** No deadline of an adapter ends a call either: whoever waits must cope. */
  readonly isEndless: boolean;
  /** Returns what ends it. */
  freeze(): () => void;
  /** Calls `work` when nothing freezes it any more. */
  whenThawed(work: () => void): void;
}

export function createFreezer(isEndless = false): Freezer {
  let count = 0;
  const waiting: (() => void)[] = [];
  return {
    isEndless,
    get isFrozen() {
      return count > 0;
    },
    freeze() {
      count += 1;
      return () => {
        count -= 1;
        if (count === 0) for (const goOn of waiting.splice(0)) goOn();
      };
    },
    whenThawed(work) {
      if (count > 0) waiting.push(work);
      else work();
    },
  };
}
