export interface Gate {
  /** Resolves when there is room, first come first; what it gives ends the stay, and is idempotent. */
  enter(): Promise<() => void>;
  /** Looks again whether someone has stayed too long. */
  poke(): void;
}

export interface GateOptions {
  readonly insideMax: number;
  /** Whoever is inside for longer no longer counts: one that hangs must not hold up the others. */
  readonly stayMsMax: number;
  readonly nowMs: () => number;
}

interface Stay {
  readonly sinceMs: number;
}

/** Lets a bounded number in at a time. */
export function createGate({ insideMax, stayMsMax, nowMs }: GateOptions): Gate {
  const inside = new Set<Stay>();
  const waiting: ((leave: () => void) => void)[] = [];

  const hasRoom = (): boolean => {
    if (inside.size < insideMax) return true;
    const now = nowMs();
    let counted = 0;
    for (const { sinceMs } of inside) if (now - sinceMs < stayMsMax) counted += 1;
    return counted < insideMax;
  };

  const admit = (): void => {
    while (waiting.length > 0 && hasRoom()) {
      const stay: Stay = { sinceMs: nowMs() };
      inside.add(stay);
      waiting.shift()?.(() => {
        if (inside.delete(stay)) admit();
      });
    }
  };

  return {
    enter: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        admit();
      }),
    poke: admit,
  };
}
