export interface LoadResult {
  readonly writes: number;
  readonly elapsedMs: number;
  /** Of each write, ascending. */
  readonly latenciesMs: readonly number[];
}

/** So many writers, each one write after the other, for so long. */
export function runWriters(
  writers: number,
  durationMs: number,
  write: (nth: number) => Promise<unknown>,
): Promise<LoadResult> {
  const endMs = performance.now() + durationMs;
  return run(writers, () => performance.now() < endMs, write);
}

/** So many writers until there are so many writes. */
export function runCount(
  writers: number,
  count: number,
  write: (nth: number) => Promise<unknown>,
): Promise<LoadResult> {
  return run(writers, (begun) => begun < count, write);
}

async function run(
  writers: number,
  goesOn: (begun: number) => boolean,
  write: (nth: number) => Promise<unknown>,
): Promise<LoadResult> {
  const startedMs = performance.now();
  const latenciesMs: number[] = [];
  let next = 0;
  const runWriter = async (): Promise<void> => {
    while (goesOn(next)) {
      const beganMs = performance.now();
      await write((next += 1));
      latenciesMs.push(performance.now() - beganMs);
    }
  };
  await Promise.all(Array.from({ length: writers }, runWriter));
  const elapsedMs = performance.now() - startedMs;
  latenciesMs.sort((a, b) => a - b);
  return { writes: latenciesMs.length, elapsedMs, latenciesMs };
}
