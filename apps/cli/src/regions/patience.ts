import { AppError, type Clock, type TableStore, TransientError } from '@tandem/core';

/** Who only looks would rather be told by then that a region hangs. */
export const LOOKING_MS_MAX = 10_000;
/** Who writes goes on through a store that stands still for a moment. */
export const WRITING_MS_MAX = 60_000;

/** For how long a region may say nothing while it is asked. */
export interface Patience {
  /** Notes the answers of a store. */
  listen(store: TableStore): TableStore;
  /**
   * Gives up what a store, retries and all, is asked, once nothing was heard for so long, and then all further
   * questions at once: throws `TABLE_UNAVAILABLE`, naming the region.
   */
  hurry(store: TableStore): TableStore;
  /** As `hurry`, for one question to what is not a store. What it asks of is its own. */
  bound<T>(ask: () => Promise<T>): Promise<T>;
  /** Begins anew, for work that goes on round by round. */
  beginRound(): void;
}

export interface PatienceOptions {
  /** What does not answer, as it is called in the error: `The table store of west`. */
  readonly what: string;
  readonly code: 'TABLE_UNAVAILABLE' | 'BUS_UNAVAILABLE';
  readonly clock: Clock;
  readonly silenceMsMax: number;
}

const MS_PER_S = 1_000;

export function createPatience(options: PatienceOptions): Patience {
  const { what, code, clock, silenceMsMax } = options;
  let heardMs = Number.NEGATIVE_INFINITY;
  let isSilent = false;

  const silent = (): TransientError =>
    new TransientError(
      code,
      `${what} gave no answer for ${silenceMsMax / MS_PER_S} s: it hangs, or is out of reach.`,
    );

  const hear = async <T>(ask: () => Promise<T>): Promise<T> => {
    try {
      const answer = await ask();
      heardMs = clock.nowMs();
      return answer;
    } catch (error) {
      // A refusal is an answer; that nothing came is none, however an adapter words it.
      if (error instanceof AppError && !error.retryable) heardMs = clock.nowMs();
      throw error;
    }
  };

  const bound = async <T>(ask: () => Promise<T>): Promise<T> => {
    if (isSilent) throw silent();
    const answered = new AbortController();
    const askedMs = clock.nowMs();
    const untilSilent = async (): Promise<T> => {
      for (;;) {
        const leftMs = Math.max(askedMs, heardMs) + silenceMsMax - clock.nowMs();
        if (leftMs <= 0) break;
        await clock.sleep(leftMs, answered.signal);
        // The race is over then, and nobody looks at what becomes of this.
        if (answered.signal.aborted) break;
      }
      if (!answered.signal.aborted) isSilent = true;
      throw silent();
    };
    try {
      return await Promise.race([ask(), untilSilent()]);
    } finally {
      answered.abort();
    }
  };

  return {
    bound: (ask) => bound(() => hear(ask)),
    listen: (store) => ({
      createTable: (table) => hear(() => store.createTable(table)),
      get: (...address) => hear(() => store.get(...address)),
      query: (range) => hear(() => store.query(range)),
      timeMs: () => hear(() => store.timeMs()),
      commit: (transaction) => hear(() => store.commit(transaction)),
    }),
    hurry: (store) => ({
      createTable: (table) => bound(() => store.createTable(table)),
      get: (...address) => bound(() => store.get(...address)),
      query: (range) => bound(() => store.query(range)),
      timeMs: () => bound(() => store.timeMs()),
      commit: (transaction) => bound(() => store.commit(transaction)),
    }),
    beginRound: () => void (isSilent = false),
  };
}
