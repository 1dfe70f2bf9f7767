import type { Clock } from '../ports/clock.ts';

export interface RoundsOptions<T> {
  /** Takes one round. One that fails ends no other. */
  readonly flush: (round: T[]) => Promise<void>;
  readonly onFailure?: ((error: unknown) => void) | undefined;
  /** Bounds how many a round takes; all that wait by default. */
  readonly countMax?: number;
  /** Without it the next round begins as soon as the one before has ended. */
  readonly pause?: RoundsPause | undefined;
}

export interface RoundsPause {
  readonly clock: Pick<Clock, 'nowMs' | 'sleep'>;
  /** Says how long after a round that began at `beganMs` nothing is flushed, in milliseconds. */
  readonly pauseMs: (beganMs: number) => number;
}

/**
 * Gathers what is added while a round is under way, and flushes it together in the next.
 *
 *     idle ── add ──▶ flushing ──▶ pausing ── over, or hurry ──▶ flushing, or idle when nothing waits
 *
 * What is added to an idle one is flushed at once. One round is under way at a time, in the order in which its
 * items came. How much may wait is for whoever adds to bound, by `waiting`.
 */
export class Rounds<T> {
  readonly #options: RoundsOptions<T>;
  #waiting: T[] = [];
  #pausing = new AbortController();
  #isHurrying = false;
  #working: Promise<void> | undefined;

  constructor(options: RoundsOptions<T>) {
    this.#options = options;
  }

  /** Counts what was added and is in no round yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Resolves once nothing waits and no round is under way; undefined when that is so. Never rejects. */
  get working(): Promise<void> | undefined {
    return this.#working;
  }

  add(...items: readonly T[]): void {
    if (items.length === 0) return;
    this.#waiting.push(...items);
    this.#working ??= this.#work();
  }

  /** Ends the pause that is under way. */
  wake(): void {
    this.#pausing.abort();
  }

  /** Flushes all that waits, and what comes meanwhile, without a pause. */
  hurry(): void {
    this.#isHurrying = true;
    this.wake();
  }

  async #work(): Promise<void> {
    const { countMax = Number.POSITIVE_INFINITY, flush, onFailure, pause } = this.#options;
    while (this.#waiting.length > 0) {
      const beganMs = pause?.clock.nowMs() ?? 0;
      try {
        await flush(this.#next(countMax));
      } catch (error) {
        onFailure?.(error);
      }
      if (pause !== undefined) await this.#pause(pause, beganMs);
    }
    this.#working = undefined;
    this.#isHurrying = false;
  }

  #next(countMax: number): T[] {
    if (this.#waiting.length > countMax) return this.#waiting.splice(0, countMax);
    const all = this.#waiting;
    this.#waiting = [];
    return all;
  }

  async #pause({ clock, pauseMs }: RoundsPause, beganMs: number): Promise<void> {
    this.#pausing = new AbortController();
    const leftMs = this.#isHurrying ? 0 : pauseMs(beganMs);
    if (leftMs > 0) await clock.sleep(leftMs, this.#pausing.signal);
  }
}
