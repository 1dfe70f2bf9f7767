/** The wall clock of one machine. It may be wrong, jump, and stand still. */
export interface WallClock {
  nowMs(): number;
  readonly offsetMs: number;
  /** The furthest that it was ever ahead of true time, in milliseconds. */
  readonly aheadMsMax: number;
  /** The same, of those times at which it was ahead by no more than the bound. */
  aheadMsMaxWithin(boundMs: number): number;
  /** How far it was ever off, either way. */
  readonly offMsMax: number;
  setOffset(offsetMs: number): void;
  freeze(): void;
  unfreeze(): void;
}

export function createWallClock(trueNowMs: () => number): WallClock {
  let offsetMs = 0;
  let frozenAtMs: number | undefined;
  let aheadMsMax = 0;
  const aheads = new Set([0]);
  let offMsMax = 0;
  const note = (): void => {
    const offMs = (frozenAtMs ?? trueNowMs() + offsetMs) - trueNowMs();
    aheadMsMax = Math.max(aheadMsMax, offMs);
    aheads.add(offMs);
    offMsMax = Math.max(offMsMax, Math.abs(offMs));
  };
  return {
    nowMs: () => frozenAtMs ?? trueNowMs() + offsetMs,
    get offsetMs() {
      return offsetMs;
    },
    get aheadMsMax() {
      note();
      return aheadMsMax;
    },
    aheadMsMaxWithin(boundMs) {
      note();
      return Math.max(...[...aheads].filter((one) => one <= boundMs));
    },
    get offMsMax() {
      note();
      return offMsMax;
    },
    setOffset(next) {
      offsetMs = next;
      note();
    },
    freeze() {
      frozenAtMs ??= trueNowMs() + offsetMs;
    },
    unfreeze() {
      note();
      frozenAtMs = undefined;
      // It shows only now what it was set to while it stood still.
      note();
    },
  };
}
