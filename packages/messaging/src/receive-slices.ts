import { assert } from '@tandem/core';

export interface SlicesOptions<Message> {
  /** Receives for so long, in milliseconds, and no longer; never loses what it has taken. */
  readonly receiveSlice: (countMax: number, waitMs: number) => Promise<readonly Message[]>;
}

/** How long one slice waits, and so how long a stop may take at most. */
export const SLICE_MS = 1_000;

/**
 * Receives for as long as asked, in slices, and can stop at any moment without losing a message.
 *
 * To abort a receive of @azure/service-bus 7.9.5 leaves its credit with the broker: what arrives next
 * is delivered to nobody and stays locked until its lock ends. So a slice is never aborted. One that
 * nobody waits for any more goes on, and what it takes is kept for the next call.
 */
export class ReceiveSlices<Message> {
  readonly #options: SlicesOptions<Message>;
  readonly #stopping = new AbortController();
  #arrived: Message[] = [];
  #slice: Promise<void> | undefined;
  #isReceiving = false;

  constructor(options: SlicesOptions<Message>) {
    this.#options = options;
  }

  async receive(countMax: number, waitMsMax: number, signal?: AbortSignal): Promise<Message[]> {
    assert(countMax >= 1, `cannot receive ${countMax} messages`);
    assert(!this.#isReceiving, 'one receive at a time');
    this.#isReceiving = true;
    try {
      return await this.#receiveUntil(countMax, Date.now() + waitMsMax, signal);
    } finally {
      this.#isReceiving = false;
    }
  }

  /** Ends a waiting receive; resolves to what has arrived and was given to nobody. */
  async stop(): Promise<Message[]> {
    this.#stopping.abort();
    // Whoever waited has been told; nobody else wants to know how the last slice failed.
    await this.#slice?.catch(() => undefined);
    return this.#arrived.splice(0);
  }

  async #receiveUntil(
    countMax: number,
    deadlineMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Message[]> {
    const isStopped = (): boolean => this.#stopping.signal.aborted || signal?.aborted === true;
    let isLast = false;
    while (!isStopped()) {
      if (this.#arrived.length > 0) return this.#arrived.splice(0, countMax);
      if (isLast) return [];
      const leftMs = Math.max(0, deadlineMs - Date.now());
      isLast = leftMs <= SLICE_MS && this.#slice === undefined;
      this.#slice ??= this.#startSlice(countMax, Math.min(SLICE_MS, leftMs));
      await untilStopped(this.#slice, [this.#stopping.signal, signal]);
    }
    return [];
  }

  #startSlice(countMax: number, waitMs: number): Promise<void> {
    const slice = (async () => {
      try {
        this.#arrived.push(...(await this.#options.receiveSlice(countMax, waitMs)));
      } finally {
        this.#slice = undefined;
      }
    })();
    // When nobody waits, the next slice meets the same trouble and tells of it.
    slice.catch(() => undefined);
    return slice;
  }
}

/** Resolves when `work` does or when one of the signals aborts; rejects when `work` does. */
async function untilStopped(
  work: Promise<void>,
  signals: readonly (AbortSignal | undefined)[],
): Promise<void> {
  const stopped = Promise.withResolvers<void>();
  const stop = (): void => stopped.resolve();
  for (const signal of signals) signal?.addEventListener('abort', stop);
  try {
    await Promise.race([work, stopped.promise]);
  } finally {
    for (const signal of signals) signal?.removeEventListener('abort', stop);
  }
}
