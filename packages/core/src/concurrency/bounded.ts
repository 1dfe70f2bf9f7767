import { TransientError } from '../errors.ts';

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

export interface BatchBounds<T> {
  readonly countMax: number;
  /** Is without a bound by default. */
  readonly weightMax?: number;
  readonly weigh?: (item: T) => number;
}

/** Splits in order, into runs whose weights add up to at most `weightMax` and of at most `countMax`. */
export function chunk<T>(items: readonly T[], bounds: BatchBounds<T>): T[][] {
  const { countMax, weightMax = Number.POSITIVE_INFINITY, weigh = () => 0 } = bounds;
  const chunks: T[][] = [];
  let current: T[] = [];
  let weight = 0;
  for (const item of items) {
    const own = weigh(item);
    if (current.length > 0 && (current.length >= countMax || weight + own > weightMax)) {
      chunks.push(current);
      current = [];
      weight = 0;
    }
    current.push(item);
    weight += own;
  }
  if (current.length > 0) chunks.push(current);
  return chunks;
}

/** Yields what comes in batches, in order, as soon as one has reached a bound; the last one is what is left. */
export async function* batchesOf<T>(
  items: AsyncIterable<T>,
  bounds: BatchBounds<T>,
): AsyncGenerator<T[], void, undefined> {
  const { countMax, weightMax = Number.POSITIVE_INFINITY, weigh = () => 0 } = bounds;
  let batch: T[] = [];
  let weight = 0;
  for await (const item of items) {
    batch.push(item);
    weight += weigh(item);
    if (batch.length < countMax && weight < weightMax) continue;
    yield batch;
    batch = [];
    weight = 0;
  }
  if (batch.length > 0) yield batch;
}

/** Is read page after page: `continuation` is there while there may be more. */
interface Page {
  readonly continuation?: string;
}

/** Bounds the pages in a row that end where they began, as a service that is busy may answer. */
export const PAGES_IN_PLACE_MAX = 100;

/**
 * Yields every page, each read from where the one before has ended. Throws `TABLE_UNAVAILABLE` when the
 * reading does not get on.
 */
export async function* pagesOf<P extends Page>(
  read: (from: Page) => Promise<P>,
): AsyncGenerator<P, void, undefined> {
  let from: Page = {};
  let pagesInPlace = 0;
  for (;;) {
    const page = await read(from);
    yield page;
    const { continuation } = page;
    if (continuation === undefined) return;
    pagesInPlace = continuation === from.continuation ? pagesInPlace + 1 : 0;
    if (pagesInPlace >= PAGES_IN_PLACE_MAX) {
      const message = `${PAGES_IN_PLACE_MAX} pages in a row ended where they began. Ask again.`;
      throw new TransientError('TABLE_UNAVAILABLE', message);
    }
    from = { continuation };
  }
}
