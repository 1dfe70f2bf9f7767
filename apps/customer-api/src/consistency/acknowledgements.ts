import type { Clock, OutboxEntry, Stamp } from '@tandem/core';

/**
 * `local`: the table of this region holds the write. `queued`: besides, the queue of every peer has
 * accepted it, so the loss of this region cannot lose it.
 */
export type AcknowledgementLevel = 'local' | 'queued';

/** Who waits for the queues of the peers. Fed by the write path and by the relay of this process. */
export interface Acknowledgements {
  /** Never waits and never throws. */
  committed(entry: OutboxEntry): void;
  /** What the relay of this process knows of it: `owed` are the peers whose queue has not accepted it. */
  sent(entry: OutboxEntry, owed: readonly string[]): void;
  /** The level that the change set of `stamp` has reached, as soon as it is decided or time is up. */
  levelOf(stamp: Stamp, waitMs: number): Promise<AcknowledgementLevel>;
}

interface Following {
  readonly decided: Promise<AcknowledgementLevel>;
  readonly decide: (level: AcknowledgementLevel) => void;
}

/** Beyond it the oldest are forgotten, which makes their level `local`: never too much is claimed. */
const FOLLOWED_MAX = 20_000;

export interface AcknowledgementsOptions {
  readonly clock: Clock;
  /** Once it is aborted nobody waits any longer. */
  readonly stopping?: AbortSignal | undefined;
}

export function createAcknowledgements(options: AcknowledgementsOptions): Acknowledgements {
  const { clock, stopping } = options;
  const followed = new Map<Stamp, Following>();

  return {
    committed({ set, owed }) {
      // Without a peer there is no queue, and nothing more than `local` to reach.
      if (owed.length === 0) return;
      const { promise, resolve } = Promise.withResolvers<AcknowledgementLevel>();
      followed.set(set.stamp, { decided: promise, decide: resolve });
      for (const [oldest, { decide: settle }] of followed) {
        if (followed.size <= FOLLOWED_MAX) break;
        settle('local');
        followed.delete(oldest);
      }
    },

    sent(entry, owed) {
      followed.get(entry.set.stamp)?.decide(owed.length === 0 ? 'queued' : 'local');
    },

    async levelOf(stamp, waitMs) {
      const following = followed.get(stamp);
      if (following === undefined) return 'local';
      const settled = new AbortController();
      const over = AbortSignal.any(stopping ? [settled.signal, stopping] : [settled.signal]);
      const timeUp = clock.sleep(waitMs, over).then((): AcknowledgementLevel => 'local');
      try {
        return await Promise.race([following.decided, timeUp]);
      } finally {
        settled.abort();
      }
    },
  };
}
