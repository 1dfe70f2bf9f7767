/**
 * Calls `work` for every item, at most `concurrencyMax` at a time, and waits for all of them. Throws
 * the first failure once everything under way has ended; items not begun by then are not begun.
 */
export async function forEachBounded<T>(
  items: Iterable<T>,
  concurrencyMax: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  const failures: unknown[] = [];
  let isExhausted = false;
  const runLane = async (): Promise<void> => {
    for (let next = iterator.next(); !next.done; next = iterator.next()) {
      if (failures.length > 0) return;
      try {
        await work(next.value);
      } catch (error) {
        failures.push(error);
      }
    }
    isExhausted = true;
  };
  const lanes: Promise<void>[] = [];
  for (let lane = 0; lane < concurrencyMax; lane += 1) {
    // Hardly more lanes than there are items: most calls have one.
    if (isExhausted) break;
    lanes.push(runLane());
  }
  await Promise.all(lanes);
  if (failures.length > 0) throw failures[0];
}
