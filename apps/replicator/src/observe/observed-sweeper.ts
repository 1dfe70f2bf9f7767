import type { Replicator } from '@tandem/core';

export interface ObservedSweeper extends Pick<Replicator, 'sweepOnce'> {
  /**
   * The oldest time, in milliseconds since the epoch, from which on something may still be owed to a
   * peer. Undefined in a process that does not sweep: another one knows.
   */
  owedSinceMs(): number | undefined;
  /** The same for one peer. */
  owedToSinceMs(peer: string): number | undefined;
}

/** Remembers how far the outbox was emptied. */
export function observeSweeper(sweeper: Pick<Replicator, 'sweepOnce'>): ObservedSweeper {
  const owedSince = new Map<string, number>();
  return {
    async sweepOnce() {
      const report = await sweeper.sweepOnce();
      if (report === undefined) owedSince.clear();
      // A peer whose outbox was not read to its end keeps what was known of it, and so ages.
      for (const [peer, timeMs] of report?.watermarks ?? []) {
        // What is owed since the beginning of time lacks its date: it is known that it is old, not how old.
        if (timeMs > 0) owedSince.set(peer, timeMs);
      }
      return report;
    },
    owedToSinceMs: (peer) => owedSince.get(peer),
    owedSinceMs: () => (owedSince.size === 0 ? undefined : Math.min(...owedSince.values())),
  };
}
