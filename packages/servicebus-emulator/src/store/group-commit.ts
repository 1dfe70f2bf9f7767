/**
 * Collects what arrives while a commit is under way and commits it together, in order. A commit
 * that fails fails all of its callers, and the next group starts afresh.
 */
export interface GroupCommit<T> {
  /** Resolves when these items are committed. */
  add(items: readonly T[]): Promise<void>;
  /** Resolves when nothing is waiting or under way. */
  idle(): Promise<void>;
}

/** More items than this are split over several commits. */
const GROUP_ITEMS_MAX = 10_000;

interface Waiting<T> {
  readonly items: readonly T[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

function takeGroup<T>(queue: Waiting<T>[]): Waiting<T>[] {
  let items = 0;
  const count = queue.findIndex((entry) => {
    items += entry.items.length;
    return items > GROUP_ITEMS_MAX;
  });
  return queue.splice(0, count === -1 ? queue.length : Math.max(count, 1));
}

export function createGroupCommit<T>(
  commit: (items: readonly T[]) => Promise<void>,
): GroupCommit<T> {
  const queue: Waiting<T>[] = [];
  let running: Promise<void> | undefined;

  async function run(): Promise<void> {
    while (queue.length > 0) {
      // Everything that is asked for in this turn of the event loop shares the commit.
      await new Promise((resolve) => setImmediate(resolve));
      const group = takeGroup(queue);
      try {
        await commit(group.flatMap((entry) => entry.items));
        for (const entry of group) entry.resolve();
      } catch (error) {
        for (const entry of group) entry.reject(error);
      }
    }
    running = undefined;
  }

  return {
    add(items) {
      const done = new Promise<void>((resolve, reject) => queue.push({ items, resolve, reject }));
      running ??= run();
      return done;
    },
    idle: async () => {
      await running;
    },
  };
}
