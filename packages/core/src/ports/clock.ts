/** Is the wall clock of this process. It may jump, stand still or run ahead; nothing relies on it. */
export interface Clock {
  /** Returns the milliseconds since the epoch. */
  nowMs(): number;
  /** Resolves after `durationMs`, or at once when the signal aborts. Never rejects. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
}
