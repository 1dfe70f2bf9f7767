import type { Clock } from '@tandem/core';

interface WaitBounds {
  readonly delayMsMin: number;
  readonly delayMsMax: number;
}

/** Keeps how long each table that has trouble waits before it is tried again, so that it holds up no other. */
export interface TableWaits {
  isWaiting(tableId: string): boolean;
  /** Lets it wait twice as long as the time before, within the bounds, and returns how long in milliseconds. */
  again(tableId: string): number;
  /** Lets it wait for so long. */
  during(tableId: string, delayMs: number): void;
  /** Has it tried at once: it goes well again. */
  end(tableId: string): void;
}

export function createTableWaits(clock: Pick<Clock, 'nowMs'>, bounds: WaitBounds): TableWaits {
  const waits = new Map<string, { readonly untilMs: number; readonly delayMs: number }>();
  const during = (tableId: string, delayMs: number): void =>
    void waits.set(tableId, { delayMs, untilMs: clock.nowMs() + delayMs });
  return {
    isWaiting: (tableId) => clock.nowMs() < (waits.get(tableId)?.untilMs ?? 0),
    again(tableId) {
      const before = waits.get(tableId)?.delayMs ?? bounds.delayMsMin / 2;
      const delayMs = Math.min(before * 2, bounds.delayMsMax);
      during(tableId, delayMs);
      return delayMs;
    },
    during,
    end: (tableId) => void waits.delete(tableId),
  };
}
