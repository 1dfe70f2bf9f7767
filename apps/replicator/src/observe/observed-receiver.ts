import type { ChangeReceiver } from '@tandem/core';

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
