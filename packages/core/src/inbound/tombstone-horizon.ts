import { believedMs, type OwnClock } from '../arrival/claims.ts';

export interface TombstoneHorizonInput extends OwnClock {
  readonly ageMs: number;
  /** Holds for every peer the time of its newest watermark that this region has passed. */
  readonly passedMs: readonly (number | undefined)[];
}

/**
 * Tombstones whose newest stamp is before this time, in milliseconds, may be collected; undefined
 * when none may. Age alone is not enough: from a peer that is behind, something older than the
 * deletion may still come, and would revive what was deleted (I4).
 */
export function tombstoneHorizonMs(input: TombstoneHorizonInput): number | undefined {
  const reached: number[] = [];
  for (const told of input.passedMs) {
    const passed = believedMs(told, input);
    if (passed === undefined) return undefined;
    reached.push(passed);
  }
  return Math.min(input.nowMs, ...reached) - input.ageMs;
}
