import type { Clock } from '@tandem/core';

export interface Gate {
  /** Resolves when there is room, first come first; what it gives ends the stay, and is idempotent. */
  enter(): Promise<Leave>;
  /** Looks at once whether someone has stayed too long; it does so by itself while someone waits. */
  poke(): void;
}

/** `effort` is how long the stay was to be expected to take, against that of the smallest. */
export type Leave = (effort?: number) => void;

interface GateOptions {
  /** Returns how many may be inside, now. */
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

/**
 * Tells how many transactions to have under way at once. The fewer, the more writes gather in each; but only
 * a store that is busy makes waiting worth it. Azure serves many partitions side by side, so more at
 * once take no longer; a store at its limit (Azurite has one thread) makes each wait for the others,
 * so that more at once bring nothing but smaller groups.
 *
 * The limit moves as a window of TCP Vegas, by one a window as the time taken nears or leaves that of an idle store
 * (Brakmo and Peterson, IEEE JSAC 1995), which is measured now and then with few under way, as BBR measures the
 * shortest round trip (Cardwell et al., ACM Queue 2016).
 */
interface AdaptiveLimit {
  readonly current: () => number;
  /** Learns that one transaction took so long; `effort` is what its size makes of the time of the smallest. */
  note(durationMs: number, effort: number): void;
}

export const AT_ONCE_MIN = 1;
export const AT_ONCE_MAX = 32;
const AT_ONCE_START = 4;
/** Both are parts of the time that a transaction takes while few are under way. */
const BUSY_FROM = 1.4;
const IDLE_BELOW = 1.2;
/** A straggler counts for no more than this: one in twenty must not make a store look busy. */
const SLOWDOWN_COUNTED_MAX = 3;
/** Says how much a new figure counts. */
const SMOOTHING = 0.2;
/** The clock counts whole milliseconds. */
const DURATION_MS_MIN = 1;
/** So often, in transactions, only few are let under way, to learn how long one takes then. */
const PROBE_EVERY = 2_000;
const PROBED = 9;
/**
 * After so many with the fewest at once it is learned anew: a store that has become slower for good is not
 * a busy one.
 */
const FEWEST_MAX = 200;
/** Those that were under way before the probe began tell of the time before it. */
const PROBE_IGNORES = 4;

export function createAdaptiveLimit(): AdaptiveLimit {
  let limit = AT_ONCE_START;
  let noted = 0;
  let withFewest = 0;
  let probe: number[] = [];
  let unhurriedMs = Number.POSITIVE_INFINITY;
  let usualMs = 0;

  const isProbing = (): boolean => noted % PROBE_EVERY < PROBE_IGNORES + PROBED;

  const endProbe = (): void => {
    unhurriedMs = probe.toSorted((a, b) => a - b)[Math.floor(probe.length / 2)] ?? unhurriedMs;
    usualMs = unhurriedMs;
    probe = [];
  };

  return {
    current: () => (isProbing() ? AT_ONCE_MIN : Math.round(limit)),
    note(durationMs, effort) {
      const ownMs = Math.max(DURATION_MS_MIN, durationMs) / Math.max(1, effort);
      const place = noted % PROBE_EVERY;
      const wasProbing = isProbing();
      noted += 1;
      if (wasProbing) {
        if (place >= PROBE_IGNORES) probe.push(ownMs);
        if (!isProbing()) endProbe();
        return;
      }
      usualMs += (Math.min(ownMs, unhurriedMs * SLOWDOWN_COUNTED_MAX) - usualMs) * SMOOTHING;
      unhurriedMs = Math.min(unhurriedMs, usualMs);
      const slowdown = usualMs / unhurriedMs;
      // A step of one for as many transactions as are under way, up or down.
      if (slowdown > BUSY_FROM) limit = Math.max(AT_ONCE_MIN, limit - 1 / limit);
      else if (slowdown < IDLE_BELOW) limit = Math.min(AT_ONCE_MAX, limit + 1 / limit);
      withFewest = Math.round(limit) === AT_ONCE_MIN ? withFewest + 1 : 0;
      if (withFewest >= FEWEST_MAX) {
        withFewest = 0;
        noted = 0;
      }
    },
  };
}
