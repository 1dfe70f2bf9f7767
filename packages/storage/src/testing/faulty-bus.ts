import { TransientError } from '@tandem/core';
import type { MemoryBus } from '@tandem/core/memory';

export interface FaultyBus extends MemoryBus {
  /** A queue that is down accepts nothing and gives nothing. */
  setDown(queue: string, isDown: boolean): void;
  /** The next send to the queue is accepted, and its answer lost. */
  loseNextAnswer(queue: string): void;
}

export function createFaultyBus(inner: MemoryBus): FaultyBus {
  const down = new Set<string>();
  const losing = new Set<string>();
  const check = (queue: string): void => {
    if (down.has(queue)) throw unavailable(queue);
  };
  return {
    deadLettersOf: (queue) => inner.deadLettersOf(queue),
    viewerFor: (queue) => inner.viewerFor(queue),
    publisherFor(peer, queue) {
      const publisher = inner.publisherFor(peer, queue);
      return {
        peer,
        close: () => publisher.close(),
        async publish(messages) {
          check(queue);
          await publisher.publish(messages);
          if (losing.delete(queue)) throw unavailable(queue);
        },
      };
    },
    receiverFor(queue) {
      const receiver = inner.receiverFor(queue);
      return {
        close: () => receiver.close(),
        settle: (message, settlement) => receiver.settle(message, settlement),
        renewLock: (message) => receiver.renewLock(message),
        countDeadLetters: (countMax) => receiver.countDeadLetters(countMax),
        async receive(countMax, waitMsMax, signal) {
          check(queue);
          return receiver.receive(countMax, waitMsMax, signal);
        },
        async oldestMessage() {
          check(queue);
          return receiver.oldestMessage();
        },
      };
    },
    setDown(queue, isDown) {
      if (isDown) down.add(queue);
      else down.delete(queue);
    },
    loseNextAnswer(queue) {
      losing.add(queue);
    },
  };
}

function unavailable(queue: string): TransientError {
  return new TransientError('BUS_UNAVAILABLE', `Queue ${queue} is down.`);
}
