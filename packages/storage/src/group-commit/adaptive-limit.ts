/**
 * How many transactions to have under way at once. The fewer, the more writes gather in each; but only
 * a store that is busy makes waiting worth it. Azure serves many partitions side by side, so more at
 * once take no longer; a store at its limit (Azurite has one thread) makes each wait for the others,
 * so that more at once bring nothing but smaller groups.
 */
export interface AdaptiveLimit {
  readonly current: () => number;
  /** One transaction took so long; `effort` is what its size makes of the time of the smallest. */
  note(durationMs: number, effort: number): void;
}

export const AT_ONCE_MIN = 1;
export const AT_ONCE_MAX = 32;
const AT_ONCE_START = 4;
/** Of the time that a transaction takes while few are under way. */
const BUSY_FROM = 1.4;
const IDLE_BELOW = 1.2;
/** A straggler counts for no more than this: one in twenty must not make a store look busy. */
const SLOWDOWN_COUNTED_MAX = 3;
/** How much a new figure counts. */
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
