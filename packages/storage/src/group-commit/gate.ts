import type { Clock } from '@tandem/core';

export interface Gate {
  /** Resolves when there is room, first come first; what it gives ends the stay, and is idempotent. */
  enter(): Promise<Leave>;
  /** Looks at once whether someone has stayed too long; it does so by itself while someone waits. */
  poke(): void;
}

/** `effort` is how long the stay was to be expected to take, against that of the smallest. */
export type Leave = (effort?: number) => void;

export interface GateOptions {
  /** How many may be inside, now. */
  readonly insideMax: () => number;
  /** Whoever is inside for longer no longer counts: one that hangs must not hold up the others. */
  readonly stayMsMax: number;
  readonly clock: Pick<Clock, 'nowMs' | 'sleep'>;
  /** Told of a stay that ended, with its effort. */
  readonly onLeft?: (stayMs: number, effort: number) => void;
}

interface Stay {
  readonly sinceMs: number;
}

/** Lets a bounded number in at a time. */
export function createGate({ insideMax, stayMsMax, clock, onLeft }: GateOptions): Gate {
  const inside = new Set<Stay>();
  const waiting: ((leave: Leave) => void)[] = [];
  let isWatching = false;

  const hasRoom = (): boolean => {
    const roomMax = insideMax();
    if (inside.size < roomMax) return true;
    const now = clock.nowMs();
    let counted = 0;
    for (const { sinceMs } of inside) if (now - sinceMs < stayMsMax) counted += 1;
    return counted < roomMax;
  };

  const admit = (): void => {
    while (waiting.length > 0 && hasRoom()) {
      const stay: Stay = { sinceMs: clock.nowMs() };
      inside.add(stay);
      waiting.shift()?.((effort) => {
        if (!inside.delete(stay)) return;
        if (effort !== undefined) onLeft?.(clock.nowMs() - stay.sinceMs, effort);
        admit();
      });
    }
  };

  /** Nobody else may come or leave while those inside hang. */
  const watch = async (): Promise<void> => {
    if (isWatching) return;
    isWatching = true;
    while (waiting.length > 0) {
      await clock.sleep(stayMsMax);
      admit();
    }
    isWatching = false;
  };

  return {
    enter: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        admit();
        if (waiting.length > 0) void watch();
      }),
    poke: admit,
  };
}
