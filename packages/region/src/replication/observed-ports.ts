import type { ChangeReceiver, Heartbeat, ReplicationStatus, Replicator } from '@tandem/core';

/** What this process last saw of its own queue; undefined while it is not known. */
export interface QueueView {
  readonly isReachable: boolean | undefined;
  readonly oldestEnqueuedMs: number | undefined;
  readonly deadLetters: number | undefined;
}

export interface ObservedReceiver extends ChangeReceiver {
  lastSeen(): QueueView;
}

/** Remembers what the queue answered, so that `/status` asks it nothing. */
export function observeReceiver(receiver: ChangeReceiver): ObservedReceiver {
  const unknown: QueueView = {
    isReachable: undefined,
    oldestEnqueuedMs: undefined,
    deadLetters: undefined,
  };
  let seen = unknown;

  const observed = async <T>(
    ask: () => Promise<T>,
    note: (answer: T) => Partial<QueueView>,
  ): Promise<T> => {
    try {
      const answer = await ask();
      seen = { ...seen, isReachable: true, ...note(answer) };
      return answer;
    } catch (error) {
      // What was seen before the outage says nothing about now.
      seen = { ...unknown, isReachable: false };
      throw error;
    }
  };

  return {
    receive: (countMax, waitMsMax, signal) => receiver.receive(countMax, waitMsMax, signal),
    settle: (message, settlement) => receiver.settle(message, settlement),
    renewLock: (message) => receiver.renewLock(message),
    oldestMessage: () =>
      observed(
        () => receiver.oldestMessage(),
        (oldest) => ({ oldestEnqueuedMs: oldest?.enqueuedAtMs }),
      ),
    countDeadLetters: (countMax) =>
      observed(
        () => receiver.countDeadLetters(countMax),
        // To look for any tells nothing of how many there are.
        (deadLetters) => (countMax === 1 && deadLetters === 1 ? {} : { deadLetters }),
      ),
    close: () => receiver.close(),
    lastSeen: () => seen,
  };
}

export interface ObservedStatus extends ReplicationStatus {
  /** Returns the newest heartbeat that was written. */
  lastBeat(): Heartbeat | undefined;
}

/** Remembers the heartbeat, so that `/status` reads no table. */
export function observeStatus(status: ReplicationStatus): ObservedStatus {
  let last: Heartbeat | undefined;
  return {
    read: () => status.read(),
    async beat(heartbeat) {
      await status.beat(heartbeat);
      last = heartbeat;
    },
    lastBeat: () => last,
  };
}

export interface ObservedSweeper extends Pick<Replicator, 'sweepOnce'> {
  /**
   * Returns the oldest time, in milliseconds since the epoch, from which on something may still be owed to a
   * peer. Undefined in a process that does not sweep: another one knows.
   */
  owedSinceMs(): number | undefined;
  /** Returns the same for one peer. */
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
