/** Splits in order, into runs whose weights add up to at most `weightMax` and of at most `countMax`. */
export function chunk<T>(
  items: readonly T[],
  bounds: { countMax: number; weightMax?: number; weigh?: (item: T) => number },
): T[][] {
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
