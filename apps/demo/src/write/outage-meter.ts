/** Measures the longest time in which no write was acknowledged, once it has begun. */
export interface OutageMeter {
  /** The fault happens now. */
  begin(): void;
  acknowledged(): void;
  /** Milliseconds; 0 before it has begun. */
  longestMs(): number;
}

export function createOutageMeter(nowMs: () => number): OutageMeter {
  let lastMs: number | undefined;
  let longestMs = 0;
  return {
    begin() {
      lastMs ??= nowMs();
    },
    acknowledged() {
      if (lastMs === undefined) return;
      const thisMs = nowMs();
      longestMs = Math.max(longestMs, thisMs - lastMs);
      lastMs = thisMs;
    },
    longestMs: () => longestMs,
  };
}
